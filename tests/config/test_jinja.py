"""Templates of the operator: filled in, kept in their sandbox, never endless."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from jinja2.exceptions import SecurityError

from config.jinja import LONGEST, SAMPLE, filled, markup_of, template_problem


def test_values_are_written_as_people_read_them():
    text = """
    {{ title }}: {{ progress }} %
    {% for line in reasons %}
    - {{ line }}
    {% endfor %}
    {% if forecast.p85 %}By {{ forecast.p85 }}, as of {{ complete_to }}.{% endif %}
    {{ url }}
    """
    here = datetime(2026, 11, 24, 13, 5, tzinfo=ZoneInfo("Europe/Berlin"))
    told = filled(text, {**SAMPLE, "complete_to": here, "url": None})
    assert [line.strip() for line in told.splitlines()] == [
        "A key result: 62 %",
        "- 62 % delivered, 70 % expected by today",
        "By 12 Dec 2026, as of 24 Nov 2026, 13:05 CET.",
    ]


@pytest.mark.parametrize("text", ["{{ title.__class__.__mro__ }}", "{{ reasons.append(1) }}"])
def test_a_template_stays_in_its_sandbox(text):
    with pytest.raises(SecurityError):
        filled(text, SAMPLE)
    assert "cannot be filled in" in template_problem(text)


def test_a_template_is_cut_before_it_is_endless():
    text = "{% for a in title %}{% for b in title %}{% for c in title %}{{ title }}{% endfor %}{% endfor %}{% endfor %}"
    assert len(filled(text, SAMPLE)) == LONGEST


def test_a_template_says_in_its_first_line_how_it_is_written():
    assert markup_of("{# markdown #}\n**{{ title }}**") == "markdown"
    assert markup_of("**{{ title }}**") is None
    assert markup_of("{# a remark #}") is None
