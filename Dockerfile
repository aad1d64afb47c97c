# docker build -t siospec .
# docker run --rm --network host siospec run http://localhost:3000
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
# Static, since the image holds nothing else but the certificates that public servers are known by.
RUN RUSTFLAGS="-C target-feature=+crt-static" \
    cargo build --locked --release --target "$(rustc -vV | sed -n 's/^host: //p')" \
    && mkdir -p /out/etc/ssl/certs \
    && cp target/*/release/siospec /out/ \
    && cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/

FROM scratch
COPY --from=build /out/ /
USER 65534:65534
ENTRYPOINT ["/siospec"]
