# The worker's image: docker build --tag olakego/olake-workers:VERSION .
# Debian and not Alpine, because the Temporal SDK's native part is built against glibc only.
ARG NODE_IMAGE=docker.io/library/node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
COPY dev/build dev/build
# The base has Node already.
RUN npm pkg delete optionalDependencies && npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run --silent build && rm -r dist/lib

# What dist/main.js still loads: the rest is bundled into it. Of five native parts one remains.
FROM ${NODE_IMAGE} AS packages
WORKDIR /app
COPY package.json package-lock.json ./
COPY dev/build/slim.ts dev/build/
RUN npm pkg delete devDependencies optionalDependencies dependencies.effect "dependencies.@effect/platform-node" \
    "dependencies.@effect/sql-pg" "dependencies.@kubernetes/client-node" \
  && npm pkg set "dependencies.undici=*" \
  && npm ci --no-audit --no-fund --omit=optional --ignore-scripts \
  && node dev/build/slim.ts \
  && node -e 'require("@temporalio/worker")'

FROM ${NODE_IMAGE}
ARG VERSION=0.0.0-dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="OLake worker" \
  org.opencontainers.image.description="Runs OLake's discover, test and sync jobs as Kubernetes Pods, driven by Temporal" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.vendor="OLake" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"
# The probes of olake-helm's chart call wget, which Debian's slim image lacks.
RUN command -v wget \
  || { apt-get update && apt-get install --yes --no-install-recommends wget \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin; }
RUN ln -s /app/dist/main.js /usr/local/bin/olake-worker \
  && for program in sh mount wget node; do command -v "$program" || exit 1; done
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY --from=build /build/dist dist
COPY package.json LICENSE ./
# As `npm start`.
ENV NODE_ENV=production MALLOC_ARENA_MAX=2 UV_THREADPOOL_SIZE=8
USER 1000:1000
EXPOSE 8090
ENTRYPOINT ["node", "--optimize-for-size", "--max-semi-space-size=2", "--v8-pool-size=0", "/app/dist/main.js"]
