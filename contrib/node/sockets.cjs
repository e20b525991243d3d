// Loaded into a program of `cluster: {by: sockets}` by NODE_OPTIONS=--require. What it listens on, where that is among the service's sockets, is the descriptor that
// Kingly opened (`server.listen({fd})`, nothing but Node's documented interface); everything else is as it was. A port is found whatever address the program names:
// which one that is, the file says.
'use strict';
if (Number(process.env.LISTEN_PID) === process.pid && process.env.KINGLY_SOCKETS) {
  const fs = require('node:fs'), net = require('node:net'), path = require('node:path'), { listen } = net.Server.prototype;
  const sockets = process.env.KINGLY_SOCKETS.split('\n').map((line) => [Number.parseInt(line, 10), line.slice(line.indexOf('=') + 1)]);
  let waited = process.env.KINGLY_READY === 'listen';

  // listen(port…), listen(path…), listen({port or path…}…): as an object.
  const options = (first) => (typeof first === 'object' && first ? first : /^\d+$/.test(first) ? { port: first } : typeof first === 'string' ? { path: first } : {});
  // "/run/web.sock", "@name", or what every address with that port ends with.
  const place = ({ port, path: file }) => (file === undefined ? `:${port}` : file.startsWith('\0') ? `@${file.slice(1)}` : path.resolve(file));
  const find = (what) => {
    const where = place(what);
    return what.exclusive || what.fd >= 0 ? -1 : sockets.findIndex(([, listens]) => (/^[/@]/.test(listens) ? listens === where : listens.endsWith(where)));
  };
  const ready = () => {
    if (waited)
      fs.writeSync(Number(process.env.READY_FD), '\n');
    waited = false;
  };
  net.Server.prototype.listen = function (...args) {
    const what = options(args[0]), k = find(what), done = args[args.length - 1];
    if (waited)
      this.once('listening', ready);
    if (k < 0)
      return listen.apply(this, args);
    const [[fd]] = sockets.splice(k, 1);
    if (what.path !== undefined) // of a path that Node has by descriptor it says null
      this.address = () => what.path;
    return listen.call(this, { ...what, fd }, ...(typeof done === 'function' ? [done] : []));
  };
}
