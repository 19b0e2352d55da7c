# docker build -t skcfgp . && docker run --rm -v "$PWD:/work" skcfgp predict crystals --out predictions.csv
FROM python:3.12-slim
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY skcfgp skcfgp
RUN python -m pip install --no-cache-dir . && rm -rf /src && useradd --create-home user
USER user
WORKDIR /work
ENTRYPOINT ["skcfgp"]
CMD ["--help"]
