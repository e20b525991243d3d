// The same for Node: the socket is descriptor 3, ready is a newline to READY_FD, and SIGTERM lets connections end with their next answer.
// (http.Server.close() would close idle connections at once, maybe just when a client writes to one; net.Server's only stops listening.)
const fs = require('fs'), http = require('http'), net = require('net');

let stopping = false;
const server = http.createServer((request, response) => {
        if (stopping)
                response.setHeader('Connection', 'close');
        response.end(`${process.pid} ${process.env.KINGLY_INSTANCE}`);
});
server.keepAliveTimeout = 30000;
server.listen({ fd: 3 }, () => fs.writeSync(Number(process.env.READY_FD), '\n'));
process.on('SIGTERM', () => {
        stopping = true;
        net.Server.prototype.close.call(server, () => process.exit(0));
});
