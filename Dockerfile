# The app in a container, on the processor alone:
#
#     docker build --build-arg TORCH_INDEX=ADDRESS -t svae .
#     docker run -p 8501:8501 -v svae-runs:/data svae
#
# docs/deployment.md says more; `make deployment` runs these steps in a clean folder, without Docker.

FROM python:3.11-slim

# Where PyTorch's builds for the processor alone are, of 200 MB: the address that PyTorch's page "Get
# started" shows for pip and CPU, behind --index-url. PyPI's builds for Linux bring CUDA, 5.7 GB in all.
ARG TORCH_INDEX

WORKDIR /srv/svae
COPY requirements.txt requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
RUN test -n "$TORCH_INDEX" || { echo "Give --build-arg TORCH_INDEX=ADDRESS, see the Dockerfile." >&2; exit 1; }
RUN pip install --no-cache-dir --no-deps --index-url "$TORCH_INDEX" $(grep ^torch== requirements.txt)
COPY app.py ./
COPY .streamlit .streamlit
COPY assets assets
COPY pages pages
COPY svae_core svae_core

# Nobody in particular, with no right to write but to runs and caches.
RUN install -d -o 10001 -g 10001 /data /cache
USER 10001:10001
ENV HOME=/data SVAE_HOME=/data/runs SVAE_CACHE=/cache
# Compiled code is made once, here, and not at the first visit.
RUN python -m svae_core train --dataset wine --clusters 3 --epochs 1

VOLUME /data
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://localhost:8501/healthz', timeout=5)"]
CMD ["python", "-m", "streamlit", "run", "app.py", "--server.address=0.0.0.0"]
