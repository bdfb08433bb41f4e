# The image that runs Keyrail: built from the hash-checked lock, run by nobody in particular.
ARG PYTHON=python:3.13-slim
FROM ${PYTHON} AS build
WORKDIR /build
RUN python3 -m venv /opt/keyrail
COPY requirements.lock ./
RUN /opt/keyrail/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY app ./app
COPY config ./config
COPY connectors ./connectors
COPY domain ./domain
COPY rollup ./rollup
COPY storage ./storage
COPY sync ./sync
RUN /opt/keyrail/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps . \
    && /opt/keyrail/bin/python -m compileall -q /opt/keyrail/lib

FROM ${PYTHON}
LABEL org.opencontainers.image.title="Keyrail" \
      org.opencontainers.image.description="Keeps OKRs true to the work" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --system --uid 10001 --home-dir /data --create-home keyrail
COPY --from=build /opt/keyrail /opt/keyrail
ENV PATH=/opt/keyrail/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    KEYRAIL_WORKSPACE=/data/keyrail.yaml \
    KEYRAIL_HOST=0.0.0.0 \
    KEYRAIL_DATABASE_WAIT=60
USER keyrail
WORKDIR /data
VOLUME ["/data"]
ENTRYPOINT ["keyrail"]
EXPOSE 8080
STOPSIGNAL SIGTERM
CMD ["serve"]
