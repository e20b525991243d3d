// An unmodified program as one writes it for PM2's cluster mode: it listens on a port, and at the signal lets each connection end with its next answer; with PLAIN=1 it
// knows of no signals, as most programs do not.
const http = require('http'), net = require('net');

let stopping = false;
const server = http.createServer((request, response) => {
        if (stopping)
                response.setHeader('Connection', 'close');
        response.end(`${process.pid} ${process.env.NODE_APP_INSTANCE || process.env.KINGLY_INSTANCE}`);
});
server.keepAliveTimeout = 30000;
server.listen(Number(process.env.PORT), '127.0.0.1', () => process.send && process.send('ready'));
for (const signal of process.env.PLAIN === '1' ? [] : ['SIGINT', 'SIGTERM'])
        process.on(signal, () => {
                stopping = true;
                net.Server.prototype.close.call(server, () => process.exit(0));
        });
