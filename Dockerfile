# lada as the container's first process; how to use it: docs/guides/rented-machines.md#docker
FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 && rm -rf /var/lib/apt/lists/*
COPY . /lada
# PyPI's wheels of PyTorch have CUDA; https://download.pytorch.org/whl/cpu has those without.
ARG TORCH_INDEX=https://pypi.org/simple
ARG PIP_INDEX_URL=https://pypi.org/simple
RUN pip install --no-cache-dir --extra-index-url "$TORCH_INDEX" --constraint /lada/constraints.txt /lada
WORKDIR /work
# Without a shell in between, so that docker stop reaches lada, which saves and ends.
ENTRYPOINT ["lada"]
