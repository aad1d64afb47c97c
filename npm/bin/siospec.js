#!/usr/bin/env node
// Runs the binary of this platform's package. npm installs just that one: the others name another `os` or `cpu`.
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { constants } from 'node:os'

const name = `@siospec/${process.platform}-${process.arch}`
const file = process.platform === 'win32' ? 'siospec.exe' : 'siospec'

let binary
try {
  binary = createRequire(import.meta.url).resolve(`${name}/${file}`)
}
catch {
  console.error(
    `siospec: the package ${name} is not installed. Either there is no siospec for this platform, or optional `
    + 'dependencies were left out (npm install --include=optional brings them). It can also be built from source: '
    + 'cargo install --locked --path .',
  )
  process.exit(5)
}

const child = spawn(binary, process.argv.slice(2), { stdio: 'inherit' })

// Ctrl-C reaches the whole process group, and the binary by itself; this one has to outlive it to pass on its exit code.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => child.kill('SIGTERM'))

child.on('error', (error) => {
  console.error(`siospec: ${binary} cannot be started: ${error.message}`)
  process.exit(5)
})
child.on('exit', (code, signal) => {
  process.exit(signal ? 128 + constants.signals[signal] : code)
})
