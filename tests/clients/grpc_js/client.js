// The steps of README.md on @grpc/grpc-js: Node's own HTTP/2.
'use strict';

const path = require('node:path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [protoRoot, target, oneCustomer] = process.argv.slice(2);
const load = (name) =>
  grpc.loadPackageDefinition(
    loader.loadSync(path.join(protoRoot, name), { includeDirs: [protoRoot], enums: String, defaults: true }),
  );
const { SidecarService } = load('stigg/sidecar/v1/sidecar.proto').stigg.sidecar.v1;
const { Health } = load('grpc/health/v1/health.proto').grpc.health.v1;
const plain = { 'grpc.enable_http_proxy': 0, 'grpc.max_send_message_length': -1 };
const credentials = grpc.credentials.createInsecure();
const codeNames = Object.fromEntries(Object.entries(grpc.status).map(([name, number]) => [number, name]));

// Code by name, the response or the message, and the trailers.
function call(client, method, request, { seconds = 10, metadata = {} } = {}) {
  return new Promise((resolve) => {
    const sent = new grpc.Metadata();
    for (const [name, value] of Object.entries(metadata)) sent.set(name, value);
    let trailers = {};
    const started = client[method](request, sent, { deadline: Date.now() + seconds * 1000 }, (error, response) =>
      setImmediate(() => resolve([error ? codeNames[error.code] : 'OK', error ? error.details : response, trailers])),
    );
    started.on('status', (status) => (trailers = status.metadata.getMap()));
  });
}

const check = (client, customer, options) =>
  call(client, 'getMeteredEntitlement', { customerId: customer, featureId: 'seats' }, options);

function report(client, count, padding = 0) {
  const events = Array.from({ length: count }, (_, n) => ({
    eventName: 'e' + 'x'.repeat(padding),
    customerId: 'c',
    idempotencyKey: String(n),
  }));
  return call(client, 'reportEvents', { events }, { seconds: 30 });
}

async function steps(client) {
  const seen = {};
  await check(client, 'c');
  let [code, answer, trailers] = await check(client, 'c', { metadata: { 'x-entitlement-trace': '1' } });
  seen.hit = [code, answer.entitlement?.currentUsage, trailers['x-entitlement-source']];
  [code, answer] = await check(client, '');
  seen.refused = [code, answer];
  const compressing = new SidecarService(target, credentials, { ...plain, 'grpc.default_compression_algorithm': 2 });
  [code, answer] = await check(compressing, 'c');
  seen.gzip = [code, answer.entitlement?.currentUsage];
  compressing.close();
  [code, answer] = await check(client, 'late', { seconds: 2 });
  seen.late = [code, answer.isFallback];
  const nothing = grpc.makeGenericClientConstructor({
    nothing: {
      path: '/stigg.sidecar.v1.SidecarService/Nothing',
      requestStream: false,
      responseStream: false,
      requestSerialize: () => Buffer.alloc(0),
      responseDeserialize: (bytes) => bytes,
    },
  });
  const asking = new nothing(target, credentials, plain);
  [seen.unknown] = await call(asking, 'nothing', {});
  asking.close();
  [seen.oversized] = await report(client, 5, 1 << 20);
  [seen.upload] = await report(client, 5000);
  [code, answer] = await call(client, 'getEntitlements', { customerId: 'large' });
  seen.large = [code, answer.entitlements?.length];
  const ended = {};
  await Promise.all(
    Array.from({ length: 100 }, async () => {
      for (let n = 0; n < 20; ++n) {
        const [each] = await check(client, 'c');
        ended[each] = (ended[each] ?? 0) + 1;
      }
    }),
  );
  seen.many = ended;
  const health = new Health(target, credentials, plain);
  [code, answer] = await call(health, 'check', {});
  seen.health = [code, answer.status];
  health.close();
  return seen;
}

async function main() {
  const client = new SidecarService(target, credentials, plain);
  if (oneCustomer !== undefined) {
    const [code, answer] = await check(client, oneCustomer);
    console.log(JSON.stringify([code, answer.entitlement?.currentUsage]));
  } else {
    console.log(JSON.stringify(await steps(client)));
  }
  client.close();
}

main();
