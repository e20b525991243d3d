// What a worker meets at the edges of the cluster module, as facts {fact, value, id} to the file FACTS; cluster_primary.js shows it Node's own primary, for comparison.
// ARGUMENTS: FACTS PORT SECOND THIRD TAKEN PATH: four ports, the last of which somebody has, and where a socket's file may be. A server of the worker's own, whose port
// is the fact "own", does what the path of a request says.
const http = require('http'), net = require('net'), cluster = require('cluster'), dgram = require('dgram'), fs = require('fs');
const [facts, port, second, third, taken, path] = process.argv.slice(2).map((a) => (isNaN(a) ? a : Number(a)));
const id = cluster.worker.id;
const tell = (fact, value) => fs.appendFileSync(facts, JSON.stringify({ fact, value: value ?? null, id }) + '\n');
const settled = (emitter, begin) => new Promise((done) => { emitter.once('error', done); begin(() => done(null)); });
const trouble = (e) => e && { code: e.code, syscall: e.syscall, address: e.address, port: e.port, message: e.message };

const answer = (request, response) => {
  response.setHeader('Connection', 'close');
  response.end(String(id));
};
// What comes of listen(): the port, or the error.
async function listens(fact, options, server = http.createServer(answer)) {
  const e = await settled(server, (done) => server.listen(options, done));
  tell(fact, trouble(e) || server.address().port || server.address());
  return e ? null : server;
}
async function binds(fact, options) {
  const socket = dgram.createSocket('udp4');
  const e = await settled(socket, (done) => socket.bind(options, done));
  tell(fact, trouble(e) || socket.address().port);
  if (e)
    return;
  socket.on('message', (text, from) => socket.send(String(id), from.port, from.address));
}

const acts = {
  disconnect: () => cluster.worker.disconnect(),
  leave: () => process.disconnect(),
  kill: () => cluster.worker.kill(),
  block: () => tell('blocks', true) || Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
};
const own = http.createServer((request, response) => {
  const act = acts[request.url.slice(1)];
  answer(request, response);
  if (act)
    request.socket.once('close', act);
});
cluster.worker.on('disconnect', () => tell('worker disconnect', cluster.worker.exitedAfterDisconnect));
process.on('disconnect', () => tell('process disconnect', [process.connected, cluster.worker.isConnected()]));
process.on('exit', (code) => tell('exit', code));
process.on('message', (m) => tell('message', m));

(async () => {
  const e = process.env;
  tell('who', [cluster.isWorker, cluster.isMaster, cluster.worker.isConnected(), cluster.worker.isDead(), process.connected, typeof process.send, cluster.worker.process === process]);
  tell('environment', [e.NODE_UNIQUE_ID, e.NODE_CHANNEL_FD, e.NODE_CHANNEL_SERIALIZATION_MODE]);
  tell('id', id);
  await listens('own', { port: 0, host: '127.0.0.1', exclusive: true }, own);
  await listens('any', 0);
  await listens('any again', 0);
  await listens('any of an address', { port: 0, host: '127.0.0.1' });
  await listens('shared', port);
  await listens('shared twice', port);
  await listens('one alone', { port: third, host: '127.0.0.1', exclusive: true });
  const closing = await listens('to be closed', { port: second, host: '127.0.0.1' });
  await listens('path', path);
  await listens('path without a directory', `${path}.none/socket`);
  await listens('taken', { port: taken, host: '127.0.0.1' });
  await listens('no address of ours', { port: 0, host: '203.0.113.1' });
  await listens('a net server', { port: 0, host: '127.0.0.1' }, net.createServer((s) => s.end(String(id))));
  await binds('datagrams', { port: second, address: '127.0.0.1' });
  await binds('any datagrams', { port: 0, address: '127.0.0.1' });
  await binds('any datagrams of its own', { port: 0, address: '127.0.0.1', exclusive: true });
  await binds('datagrams of one alone', { port: third, address: '127.0.0.1', exclusive: true });
  await binds('datagrams taken', { port: taken, address: '127.0.0.1' });
  if (id === 1)
    await new Promise((done) => closing.close(done));
  process.send('x'.repeat(100000), (error) => tell('a long word', error));
  const handle = net.createServer().listen({ port: 0, exclusive: true }, () => process.send({ cmd: 'mine' }, handle, (error) => tell('a handle', error)));
  process.send({ last: true }, (error) => tell('done', error));
})();
