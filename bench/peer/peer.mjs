// Measures what PouchDB needs to push a set of documents to a CouchDB-protocol
// server and to pull them into an empty database: bytes, time, HTTP requests.
//
//   node peer.mjs docs.json
//
// The server runs in a child process (this same file, see serve), behind a TCP
// proxy that counts every byte of either direction, HTTP headers included.
// PouchDB and server run on separate processes, as they would in use.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';

const HOST = '127.0.0.1';
const SERVER_ARG = '--serve';
const TIMEOUT_MS = 120_000; // for the whole run; a replication that hangs is a failure
const SETTLE_MS = 200; // lets trailing bytes reach the counters; never part of a time

const require = createRequire(import.meta.url);

function fail(err) {
  process.stderr.write(`peer: ${err?.stack ?? err?.message ?? JSON.stringify(err)}\n`);
  process.exit(1);
}

function newPouchDB() {
  return require('pouchdb-core')
    .plugin(require('pouchdb-adapter-memory'))
    .plugin(require('pouchdb-adapter-http'))
    .plugin(require('pouchdb-replication'));
}

async function listen(server) {
  server.listen(0, HOST);
  await once(server, 'listening');
  return server.address().port;
}

// ---- the child: CouchDB-protocol server and counting proxy

async function serve() {
  process.on('disconnect', () => process.exit(0));

  const counts = { up: 0, down: 0, requests: 0 };

  const PouchDB = newPouchDB().defaults({ adapter: 'memory', prefix: 'server/' });
  // 'minimumForPouchDB' is express-pouchdb's own mode for replication only: no
  // log file, no configuration file, no users. Compression stays on, as usual.
  const app = require('express-pouchdb')(PouchDB, { mode: 'minimumForPouchDB' });
  const server = http.createServer(app);
  server.on('request', () => { counts.requests++; });
  const serverPort = await listen(server);

  const proxy = net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const upstream = net.connect({
      host: HOST, port: serverPort, allowHalfOpen: true, noDelay: true,
    });
    client.on('data', (b) => { counts.up += b.length; });
    upstream.on('data', (b) => { counts.down += b.length; });
    client.pipe(upstream).pipe(client);
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
  });
  const port = await listen(proxy);

  process.on('message', (m) => {
    if (m === 'counts') process.send({ ...counts });
  });
  process.send({ port });
}

// ---- the parent: PouchDB, the measured client

function readDocs(file) {
  const docs = JSON.parse(readFileSync(file, 'utf8'));
  if (!Array.isArray(docs) || docs.length === 0) {
    throw new Error(`${file}: want a non-empty JSON array of documents`);
  }
  const ids = new Set();
  for (const doc of docs) {
    if (typeof doc?._id !== 'string' || doc._id === '') {
      throw new Error(`${file}: a document has no _id`);
    }
    ids.add(doc._id);
  }
  if (ids.size !== docs.length) throw new Error(`${file}: an _id occurs twice`);
  return docs;
}

async function insert(db, docs) {
  for (const r of await db.bulkDocs(docs)) {
    if (!r.ok) throw new Error(`local insert: ${JSON.stringify(r)}`);
  }
}

// Every document must be there, with the contents it was given.
async function checkHas(db, docs) {
  const { rows } = await db.allDocs({ include_docs: true });
  if (rows.length !== docs.length) {
    throw new Error(`pulled database has ${rows.length} documents, want ${docs.length}`);
  }
  const got = new Map(rows.map((row) => [row.id, row.doc]));
  for (const doc of docs) {
    const { _rev, ...rest } = got.get(doc._id) ?? {};
    if (!isDeepStrictEqual(rest, doc)) {
      throw new Error(`pulled document ${doc._id} differs or is missing`);
    }
  }
}

async function main() {
  const [file, ...extra] = process.argv.slice(2);
  if (!file || extra.length) throw new Error('usage: node peer.mjs docs.json');
  const docs = readDocs(file);

  // The child's stdout goes to stderr: stdout carries the one result line only.
  const child = fork(fileURLToPath(import.meta.url), [SERVER_ARG], {
    stdio: ['ignore', 2, 'inherit', 'ipc'],
  });
  child.on('error', fail);
  child.on('exit', (code, signal) => fail(new Error(`server ended early (${code ?? signal})`)));
  setTimeout(() => fail(new Error(`not done after ${TIMEOUT_MS} ms`)), TIMEOUT_MS).unref();

  const answer = async () => (await once(child, 'message'))[0];
  const { port } = await answer();
  const counts = async () => {
    await sleep(SETTLE_MS);
    const reply = answer();
    child.send('counts');
    return reply;
  };

  const PouchDB = newPouchDB();
  const open = async (name) => {
    const db = new PouchDB(name, { adapter: 'memory' });
    await db.info();
    return db;
  };

  async function measure(replicate, want) {
    const before = await counts();
    const start = performance.now();
    const result = await replicate();
    const ms = Math.round(performance.now() - start);
    const after = await counts();
    if (!result.ok || result.docs_written !== want || result.doc_write_failures !== 0) {
      throw new Error(`replication: ${JSON.stringify(result)}`);
    }
    return {
      up: after.up - before.up,
      down: after.down - before.down,
      ms,
      requests: after.requests - before.requests,
    };
  }

  // Pushes docs to a remote database that does not exist yet, and pulls them
  // into an empty local one, with default replication options.
  async function round(name, docs) {
    const remote = `http://${HOST}:${port}/${name}`;
    const a = await open(`${name}-a`);
    await insert(a, docs);
    const push = await measure(() => a.replicate.to(remote), docs.length);
    const b = await open(`${name}-b`);
    const pull = await measure(() => b.replicate.from(remote), docs.length);
    await checkHas(b, docs);
    return { push, pull };
  }

  await round('warmup', docs.slice(0, 10));
  const { push, pull } = await round('measured', docs);

  const server = `express-pouchdb ${require('express-pouchdb/package.json').version}`;
  const line = JSON.stringify({ peer: `PouchDB ${PouchDB.version} + ${server}`, push, pull });

  child.removeAllListeners('exit');
  child.disconnect();
  process.stdout.write(`${line}\n`, () => process.exit(0));
}

(process.argv[2] === SERVER_ARG ? serve() : main()).catch(fail);
