# docker build -t roomful .
# docker run -d --name roomful -p 127.0.0.1:3000:3000 -v roomful:/data -e ROOMFUL_PUBLIC_URL=https://chat.example.org \
#   -e ROOMFUL_TRUSTED_PROXIES=172.16.0.0/12 roomful
# The proxy's address, as the container sees it, must be among the trusted ones, or everybody counts as one address.
#
# The data directory is a folder inside the volume, so that `roomful restore` can exchange it as a whole.

FROM rust:1-slim-bookworm AS build
# SQLite and the cryptography are C.
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev make && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
RUN cargo build --release --locked --package roomful-server && strip target/release/roomful

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --user-group --home-dir /data --shell /usr/sbin/nologin roomful \
    && install -d -m 0700 -o roomful -g roomful /data
COPY --from=build /build/target/release/roomful /usr/local/bin/roomful
USER roomful
WORKDIR /data
VOLUME /data
# Inside a container every address is its own; -p decides who reaches it.
ENV ROOMFUL_LISTEN=0.0.0.0:3000 ROOMFUL_DATA=/data/roomful-data
EXPOSE 3000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["roomful", "health"]
# Stopping takes up to ten seconds: every client hears that it may come back.
STOPSIGNAL SIGTERM
ENTRYPOINT ["roomful"]
CMD ["serve"]
