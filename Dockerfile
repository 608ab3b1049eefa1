# One image for all programs. Build: docker build -t nifcloud-kubernetes .
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
COPY proto ./proto
COPY scripts ./scripts
RUN npm ci
COPY . .
RUN npm run build

FROM node:24.21.0-bookworm-slim
# The node server's tools: mount, blkid, flock, blockdev (util-linux), ext2/3/4, xfs.
RUN apt-get update \
 && apt-get install -y --no-install-recommends mount util-linux e2fsprogs xfsprogs \
 && rm -rf /var/lib/apt/lists/* /usr/local/lib/node_modules /opt/yarn-*
WORKDIR /app
COPY --from=build /src/dist ./dist
COPY --from=build /src/proto/csi.proto ./proto/csi.proto
COPY image/bin/ /bin/
ENV NODE_ENV=production
# The node server of the CSI driver needs root (mounts); its DaemonSet asks for it. Everything else runs as nobody.
USER 65532:65532
