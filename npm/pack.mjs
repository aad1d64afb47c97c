// Makes the npm tarballs: `node npm/pack.mjs OUT [PLATFORM=BINARY …]`, as in `linux-x64=target/release/siospec`.
// Without a platform, only the package with the launcher.
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const [out, ...platforms] = process.argv.slice(2)
if (!out) {
  console.error('usage: node npm/pack.mjs OUT [PLATFORM=BINARY …]')
  process.exit(2)
}

const here = dirname(fileURLToPath(import.meta.url))
const main = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'))
mkdirSync(out, { recursive: true })
pack(here)

for (const platform of platforms) {
  const [name, binary] = platform.split('=')
  if (!binary || !(`@siospec/${name}` in main.optionalDependencies)) {
    const known = Object.keys(main.optionalDependencies).map(full => full.replace('@siospec/', ''))
    console.error(`${platform}: expected PLATFORM=BINARY with a platform of ${known.join(', ')}`)
    process.exit(2)
  }
  const [os, cpu] = name.split('-')
  const folder = mkdtempSync(join(tmpdir(), 'siospec-npm-'))
  const file = os === 'win32' ? 'siospec.exe' : 'siospec'
  copyFileSync(binary, join(folder, file))
  chmodSync(join(folder, file), 0o755)
  const { version, license } = main
  const description = `The ${name} binary of siospec.`
  const manifest = { name: `@siospec/${name}`, version, description, license, os: [os], cpu: [cpu], files: [file] }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest, null, 2))
  pack(folder)
  rmSync(folder, { recursive: true })
}

function pack(folder) {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  const shell = process.platform === 'win32'
  const printed = execFileSync(npm, ['pack', '--json', '--pack-destination', resolve(out)], { cwd: folder, shell })
  console.log(join(out, JSON.parse(printed)[0].filename))
}
