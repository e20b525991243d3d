// An unmodified program: nothing in it knows of Kingly. ARGUMENTS: what to listen on, each a port, a path or "udp:PORT".
const http = require('http'), cluster = require('cluster'), dgram = require('dgram');
const say = (extra) => JSON.stringify({ id: cluster.isWorker ? cluster.worker.id : 0, pid: process.pid, ...extra });
let waiting = process.argv.length - 2;
const up = () => { if (--waiting === 0 && process.env.SAY_READY) process.send('ready'); };
for (const where of process.argv.slice(2)) {
  if (where.startsWith('udp:')) {
    const socket = dgram.createSocket('udp4');
    socket.on('message', (text, from) => socket.send(say(), from.port, from.address));
    socket.bind(Number(where.slice(4)), '127.0.0.1', up);
    continue;
  }
  const server = http.createServer((q, s) => {
    if (q.url === '/close') { s.end(say()); server.close(); return; }
    if (q.url === '/slow') { setTimeout(() => s.end(say()), 500); return; }
    s.end(say({ port: server.address().port, from: q.socket.remoteAddress }));
  });
  server.on('error', (e) => { console.log('listen failed: ' + e.code); up(); });
  if (where.startsWith('/')) server.listen(where, up); else server.listen(Number(where), process.env.HOST, up);
}
