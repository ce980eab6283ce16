// A graphql-transport-ws server made of npm's graphql-ws, ws and graphql: the judge of the daemon's
// subscriber that is not ours. Started by harness/reference_ws.py, which speaks to it in JSON lines:
//
//   in   {"do": "publish", "field": "usageUpdatedV2", "value": {…}}   out {"subscriptions": 1}
//   in   {"do": "state"}                                              out {"connections": 1, …}
//
// Every command is answered by one line, in order; the first line, {"port": N}, says where it
// listens. Ends with its standard input.
//
//   node server.mjs MODULES SDL… -- '{"port": 0, "apiKey": "k", "tls": {"cert": …, "key": …}}'

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';

const [modules, ...rest] = process.argv.slice(2);
const require = createRequire(`${modules}/`); // they are installed under build/, not beside this file
const { buildSchema, GraphQLError } = require('graphql');
const { useServer } = require('graphql-ws/use/ws');
const { WebSocketServer } = require('ws');

const options = JSON.parse(rest.pop());
const sdl = rest.filter((path) => path !== '--').map((path) => readFileSync(path, 'utf8'));

/** One root field: every subscription to it hears what is published from then on. */
class Topic {
  queues = new Set();

  publish(event) {
    for (const queue of this.queues) queue.push(event);
    return this.queues.size;
  }

  subscribe() {
    const waiting = [];
    let wake = () => {};
    const queue = { push: (event) => { waiting.push(event); wake(); } };
    this.queues.add(queue);
    const end = async () => {
      this.queues.delete(queue);
      return { value: undefined, done: true };
    };
    return {
      [Symbol.asyncIterator]() { return this; },
      next: async () => {
        while (waiting.length === 0) await new Promise((resolve) => { wake = resolve; });
        return { value: waiting.shift(), done: false };
      },
      return: end,
      throw: end,
    };
  }
}

const schema = buildSchema(sdl.join('\n'));
const topics = {};
for (const [name, field] of Object.entries(schema.getSubscriptionType().getFields())) {
  topics[name] = new Topic();
  field.subscribe = () => topics[name].subscribe();
}

const seen = {
  upgrades: 0, accepted: 0, acknowledged: 0, rejected: 0, pings: 0, completes: 0, subscribes: [], closes: [],
};
const inits = [];
let upgradeHeaders = {};
let apiKey = options.apiKey;
let refuseWith = 0;
const subscribeErrors = []; // root fields whose next subscribe is answered with an error

const listener = options.tls
  ? https.createServer({ cert: readFileSync(options.tls.cert), key: readFileSync(options.tls.key) })
  : http.createServer();
const sockets = new WebSocketServer({ noServer: true });

listener.on('upgrade', (request, socket, head) => {
  ++seen.upgrades;
  upgradeHeaders = request.headers;
  if (refuseWith !== 0 || new URL(request.url, 'ws://any').pathname !== '/graphql') {
    socket.end(`HTTP/1.1 ${refuseWith || 404} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    return;
  }
  sockets.handleUpgrade(request, socket, head, (ws) => {
    ++seen.accepted;
    ws.on('message', (data) => {
      const type = (() => { try { return JSON.parse(data).type; } catch { return 'not JSON'; } })();
      if (type === 'ping') ++seen.pings;
      if (type === 'complete') ++seen.completes;
    });
    ws.on('close', (code, reason) => seen.closes.push({ code, reason: String(reason) }));
    sockets.emit('connection', ws, request);
  });
});

useServer(
  {
    schema,
    onConnect: (context) => {
      const headers = context.connectionParams?.headers ?? {};
      inits.push(headers);
      if (headers['X-API-KEY'] === apiKey) {
        ++seen.acknowledged;
        return true;
      }
      ++seen.rejected;
      context.extra.socket.close(4403, 'Invalid API key'); // docs/protocol.md section 3.4
      return false;
    },
    onSubscribe: (context, id, payload) => {
      seen.subscribes.push({ id, ...payload });
      const failing = subscribeErrors.findIndex((field) => payload.query.includes(field));
      if (failing < 0) return undefined;
      subscribeErrors.splice(failing, 1);
      return [new GraphQLError('The server cannot subscribe now', { extensions: { code: 'UnexpectedError' } })];
    },
  },
  sockets,
);

const commands = {
  publish: ({ field, value }) => ({ subscriptions: topics[field].publish({ [field]: value }) }),
  /** Sockets end without a close frame. */
  drop: () => ({ dropped: [...sockets.clients].map((ws) => ws.terminate()).length }),
  close: ({ code, reason }) => ({ closed: [...sockets.clients].map((ws) => ws.close(code, reason)).length }),
  /** Open connections stay open, but what the peer sends is not read any more: no ping is answered. */
  mute: () => ({ muted: [...sockets.clients].map((ws) => ws.pause()).length }),
  unmute: () => ({ unmuted: [...sockets.clients].map((ws) => ws.resume()).length }),
  /** Later upgrades are answered with this status; 0: no more. */
  refuse: ({ status }) => { refuseWith = status; return {}; },
  failSubscribe: ({ field }) => { subscribeErrors.push(field); return {}; },
  setKey: ({ key }) => { apiKey = key; return {}; },
  /** Bytes that no server of this protocol sends, as one text frame to everybody. */
  send: ({ text, binary }) => ({ sent: [...sockets.clients].map((ws) => ws.send(text, { binary: !!binary })).length }),
  /** One message in several frames, of `size` characters each. */
  sendInFragments: ({ text, size }) => {
    for (const ws of sockets.clients) {
      for (let at = 0; at < text.length; at += size) {
        ws.send(text.slice(at, at + size), { fin: at + size >= text.length });
      }
    }
    return {};
  },
  state: () => ({
    ...seen,
    connections: sockets.clients.size,
    subscriptions: Object.fromEntries(Object.entries(topics).map(([name, topic]) => [name, topic.queues.size])),
    inits,
    upgradeHeaders,
  }),
};

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

createInterface({ input: process.stdin })
  .on('line', (line) => {
    try {
      const command = JSON.parse(line);
      say(commands[command.do](command));
    } catch (error) {
      say({ error: String(error) });
    }
  })
  .on('close', () => process.exit(0));

listener.listen(options.port ?? 0, '127.0.0.1', () => say({ port: listener.address().port }));
