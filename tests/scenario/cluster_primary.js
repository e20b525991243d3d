// Node's own primary. ARGUMENTS: how many workers, their program, and its arguments.
const cluster = require('cluster'), [n, exec, ...args] = process.argv.slice(2);
cluster.setupMaster({ exec, args });
for (let k = 0; k < Number(n); k++)
  cluster.fork();
