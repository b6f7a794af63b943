# Image of `serve` and `reconcile`. The root filesystem may be read-only, and no shell is needed.
FROM node:24.21.0-trixie-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --prefer-offline --no-audit --no-fund --loglevel=error
COPY tsconfig.json tsconfig.build.json ./
COPY certs certs
COPY webhooks webhooks
COPY src src
RUN node node_modules/typescript-native/bin/tsc -p tsconfig.build.json
RUN npm prune --omit=dev --ignore-scripts --prefer-offline --no-audit --no-fund --loglevel=error

FROM node:24.21.0-trixie-slim
LABEL org.opencontainers.image.title="aim-admission" \
  org.opencontainers.image.description="Admission server that resolves runtime configuration into AIMService objects" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="0.1.0"
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /src/node_modules node_modules
COPY --from=build /src/dist dist
USER 65532:65532
EXPOSE 8443 8080
ENTRYPOINT ["node", "dist/src/main.js"]
CMD ["serve"]
