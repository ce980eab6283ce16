// The page at /status: one file without anything from elsewhere. It draws what the same path answers
// to those who accept JSON (app/status_json.cc), and asks again every two seconds.
#pragma once

#include <string_view>

namespace sidecar {

inline constexpr std::string_view kStatusPage = R"html(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>stigg-sidecar</title>
<style>
:root { color-scheme: light dark; --line: #8884; --good: #188038; --bad: #c5221f; --warn: #b06000; --dim: #8889; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 68rem; padding: 1rem 1.2rem 3rem; }
h1 { font-size: 1.25rem; margin: 0; }
header { display: flex; gap: 1rem; align-items: baseline; flex-wrap: wrap; margin-bottom: 1rem; }
.dim { color: GrayText; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1rem; }
section { border: 1px solid var(--line); border-radius: .5rem; padding: .7rem .9rem; min-width: 0; }
section.wide { grid-column: 1 / -1; }
h2 { font-size: .95rem; margin: 0 0 .4rem; display: flex; justify-content: space-between; }
table { border-collapse: collapse; width: 100%; }
td { padding: .12rem 0; vertical-align: top; overflow-wrap: anywhere; }
td:first-child { color: GrayText; padding-right: 1rem; white-space: nowrap; width: 1%; }
td.number { font-variant-numeric: tabular-nums; }
.badge { border-radius: 1rem; padding: 0 .6rem; color: #fff; font-weight: 600; font-size: .85rem; background: var(--dim); }
.good { background: var(--good); } .bad { background: var(--bad); } .warn { background: var(--warn); }
#lost { display: none; background: var(--bad); color: #fff; padding: .4rem .9rem; border-radius: .5rem; margin-bottom: 1rem; }
code { font-size: .85rem; }
</style>
<header><h1>stigg-sidecar</h1><span id="version" class="dim"></span><span id="ready" class="badge"></span>
<span id="uptime" class="dim"></span></header>
<div id="lost" role="alert">The sidecar does not answer; what is shown is old.</div>
<main id="main"></main>
<script>
'use strict';
const main = document.getElementById('main');
const number = new Intl.NumberFormat('en');
const text = (tag, value, name) => {
  const element = document.createElement(tag);
  element.textContent = value;
  if (name) element.className = name;
  return element;
};
const duration = secs => {
  secs = Math.floor(secs);
  const days = Math.floor(secs / 86400), hours = Math.floor(secs / 3600) % 24, minutes = Math.floor(secs / 60) % 60;
  return days ? `${days} d ${hours} h` : hours ? `${hours} h ${minutes} min` : minutes ? `${minutes} min` : `${secs} s`;
};
const bytes = n => n >= 1 << 20 ? `${(n / (1 << 20)).toFixed(1)} MiB` : `${(n / 1024).toFixed(1)} KiB`;
const share = n => n === null ? 'nothing was read yet' : `${(100 * n).toFixed(2)} %`;
const ago = date => date ? `${date} (${duration((Date.now() - Date.parse(date)) / 1000)} ago)` : null;
const section = (title, badge, rows, wide) => {
  const box = text('section', '', wide ? 'wide' : '');
  box.id = title.toLowerCase().replace(/[^a-z]+/g, '-');
  const head = text('h2', title);
  if (badge) head.append(text('span', badge[0], `badge ${badge[1]}`));
  const table = document.createElement('table');
  for (const [name, value] of rows) {
    if (value === null || value === undefined || value === '') continue;
    const row = table.insertRow();
    row.append(text('td', name), text('td', typeof value === 'number' ? number.format(value) : value, 'number'));
  }
  box.append(head, table);
  return box;
};
const counts = object => Object.entries(object).filter(([, value]) => value > 0);
const target = (name, state) => section(name, state.breaker === 'open' ? ['not asked', 'bad'] : ['asked', 'good'],
  [['failures in a row', state.failuresInARow], ['given up', `${state.opened} times`], ...counts(state.requests)]);
const draw = status => {
  document.getElementById('version').textContent = status.version;
  const ready = document.getElementById('ready');
  ready.textContent = status.ready ? 'ready' : 'not ready';
  ready.className = `badge ${status.ready ? 'good' : 'bad'}`;
  document.getElementById('uptime').textContent = `up for ${duration(status.uptimeSecs)}`;
  const parts = [
    section('Reads', null, [['hit ratio', share(status.reads.hitRatio)], ['hits', status.reads.hits],
      ['misses', status.reads.misses], ['from stale records', status.reads.stale],
      ['fallbacks', status.reads.fallbacks]]),
    section('Decisions by source', null, Object.entries(status.decisionsBySource)),
    section('Cache', null, [['records', status.cache.entries],
      ['memory', `${bytes(status.cache.bytes)} of ${bytes(status.cache.limitBytes)}`],
      ['evictions', status.cache.evictions], ['too large', status.cache.oversize]]),
    target('Edge API', status.upstream.edge), target('GraphQL API', status.upstream.graphql)];
  const ws = status.websocket;
  parts.push(section('WebSocket', !ws ? ['off', ''] : ws.state === 'live' ? ['live', 'good'] : [ws.state, 'warn'],
    ws ? [['since', ago(ws.since)], ['generation', ws.generation],
      ['interrupted subscriptions', ws.interruptedSubscriptions], ['last error', ws.lastError],
      ['at', ago(ws.lastErrorAt)]] : []));
  const shadow = status.shadow;
  if (shadow) parts.push(section('Shadow', shadow.state === 'paused' ? ['paused', 'bad'] :
    shadow.different ? ['differs', 'bad'] : ['same', 'good'],
    [['target', shadow.target], ['same', shadow.same], ['different', shadow.different], ['failed', shadow.failed],
      ['skipped', shadow.skipped], ['last failure', shadow.lastFailure]]));
  const redis = status.redis;
  parts.push(section('Redis', !redis ? ['off', ''] : redis.up ? ['up', 'good'] : ['down', 'bad'],
    redis ? [['since', ago(redis.since)], ['kept current', redis.maintained ? 'yes' : 'no'],
      ['this process leads', redis.leader ? 'yes' : 'no'], ['last error', redis.lastError],
      ['at', ago(redis.lastErrorAt)]] : []));
  const spool = status.spool;
  parts.push(section('Spool', !spool ? ['off', ''] : spool.up ? ['on', 'good'] : ['broken', 'bad'],
    spool ? [['waiting', spool.records], ['bytes', bytes(spool.bytes)], ['delivered', spool.delivered],
      ['dead letters', spool.dead], ['dropped', spool.dropped]] : []));
  const snapshot = status.snapshot;
  parts.push(section('Snapshot', snapshot ? ['on', 'good'] : ['off', ''],
    snapshot ? [['records', snapshot.records], ['written', ago(snapshot.writtenAt)], ['errors', snapshot.errors]] : []));
  if (status.tls) parts.push(section('TLS', null, [['certificate ends', status.tls.notAfter]]));
  const configuration = section('Configuration', null, [], true);
  for (const line of status.configuration) configuration.append(text('code', line), document.createElement('br'));
  parts.push(configuration);
  main.replaceChildren(...parts);
};
const look = async () => {
  try {
    const answer = await fetch('/status', {headers: {Accept: 'application/json'}, signal: AbortSignal.timeout(5000)});
    if (!answer.ok) throw new Error(answer.status);
    draw(await answer.json());
    document.getElementById('lost').style.display = 'none';
  } catch {
    document.getElementById('lost').style.display = 'block';
  }
  setTimeout(look, 2000);
};
look();
</script>
</html>
)html";

}  // namespace sidecar
