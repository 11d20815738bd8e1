# Debian rather than Alpine: the tests run on glibc, whose allocator also serves Node's threads (argon2, zlib) faster.
FROM node:24-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No package that is needed in production has an install script that matters; the embedded servers are optional ones.
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM node:24-bookworm-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 METRICS_PORT=9464
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY package.json moleculer.config.ts ./
COPY config config
COPY mixins mixins
COPY migrations migrations
COPY services services
COPY deploy/compose/entry.sh deploy/compose/topology.ts deploy/compose/
# The image's user "node", by number: Kubernetes' runAsNonRoot cannot look up a name.
USER 1000:1000
EXPOSE 3000 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --start-interval=1s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.METRICS_PORT + '/metrics').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "services/main.ts"]
