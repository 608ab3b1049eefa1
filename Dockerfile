# One image for each program. Build: docker build --target nifcloud-cloud-controller-manager .
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
COPY proto ./proto
COPY scripts ./scripts
RUN npm ci
COPY . .
RUN npm run build

FROM node:24.21.0-bookworm-slim AS programs
# The node server's tools: mount, blkid, flock, blockdev (util-linux), ext2/3/4, xfs, btrfs.
RUN apt-get update \
 && apt-get install -y --no-install-recommends mount util-linux e2fsprogs xfsprogs btrfs-progs \
 && rm -rf /var/lib/apt/lists/* /usr/local/lib/node_modules /opt/yarn-*
# mount drops context=…, which kubelet asks for with seLinuxMount, unless this file is there (is_selinux_enabled(3)); then pods may not
# read their volumes. Without a selinuxfs, that is without SELinux on the host, it has no effect.
RUN mkdir -p /etc/selinux && touch /etc/selinux/config
WORKDIR /app
COPY --from=build /src/dist ./dist
COPY --from=build /src/proto/csi.proto ./proto/csi.proto
# It says that dist holds ES modules: else Node parses each file twice, and takes 2 to 4 MB more.
COPY --from=build /src/package.json ./package.json
COPY image/bin/ /bin/
ENV NODE_ENV=production
# The node server of the CSI driver needs root (mounts); its DaemonSet asks for it. Everything else runs as nobody.
USER 65532:65532

# Each starts its program, as the Go programs' images do, whose manifests name no command.
FROM programs AS nifcloud-simulator
ENTRYPOINT ["/bin/nifcloud-simulator"]

FROM programs AS nifcloud-cloud-controller-manager
ENTRYPOINT ["/bin/nifcloud-cloud-controller-manager"]

FROM programs AS nifcloud-additional-storage-csi-driver
ENTRYPOINT ["/bin/nifcloud-additional-storage-csi-driver"]
