# The program and its site, and nothing else but Debian's libraries.
#
#   docker build -t partyline .
#   docker run --rm -p 3000:3000 -v partyline:/data partyline
FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo run --package xtask -- build --release \
    && mkdir /out && cp -r target/release/partyline target/site /out/

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libssl3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /data --create-home partyline
COPY --from=build /out /opt/partyline
ENV LEPTOS_SITE_ROOT=/opt/partyline/site \
    PARTYLINE_LISTEN=0.0.0.0:3000 \
    PARTYLINE_DATA_DIR=/data
USER partyline
VOLUME /data
EXPOSE 3000
ENTRYPOINT ["/opt/partyline/partyline"]
