// Drives the stock client for siospec: a line of JSON each way for what is asked and what is heard.
const { createRequire } = require('node:module')
const { join } = require('node:path')
const { createInterface } = require('node:readline')

// Whatever is longer is no answer to what siospec asks.
const LONGEST = 1_000_000

function say(heard) {
  const line = JSON.stringify(heard)
  if (line.length <= LONGEST)
    process.stdout.write(`${line}\n`)
}

let socket

function open({ from, url, options }) {
  let library
  try {
    const find = createRequire(join(from, 'siospec.js'))
    library = find('socket.io-client')
    say({ version: find('socket.io-client/package.json').version, node: process.versions.node })
  }
  catch (error) {
    return say({ missing: String(error.message) })
  }
  socket = library.io(url, options)
  socket.on('connect', () => say({ connected: true }))
  socket.on('connect_error', error => say({ error: String(error.description?.message ?? error.message) }))
  socket.on('disconnect', reason => say({ error: `disconnect: ${reason}` }))
  socket.onAny((event, ...args) => say({ event, args }))
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const asked = JSON.parse(line)
    if (asked.open)
      return open(asked.open)
    socket?.emit(asked.emit.event, ...asked.emit.args)
  })
  .on('close', () => {
    socket?.disconnect()
    // What is on its way out may go.
    setTimeout(() => process.exit(), 100)
  })
