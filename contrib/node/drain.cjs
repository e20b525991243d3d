// Loaded into a worker of `cluster: {by: node}` by NODE_OPTIONS=--require. When Kingly says that the worker is about to go, each answer from then on ends its
// kept-alive connection ("Connection: close"), so that clients go elsewhere by themselves and no request meets a connection that is just being closed: what
// server.close() of Node does not do. Until then nothing of it runs.
'use strict';
if (process.channel && require('node:cluster').isWorker) {
  const diagnostics = require('node:diagnostics_channel');
  const on_request = ({ response }) => { response.shouldKeepAlive = false; };
  const on_message = (message) => {
    if (message.cmd !== 'NODE_KINGLY' || message.act !== 'drain')
      return;
    process.removeListener('internalMessage', on_message);
    diagnostics.channel('http.server.request.start').subscribe(on_request);
  };
  process.on('internalMessage', on_message);
}
