// Adds to package-lock.json the optional packages for other platforms that npm left out because the registry it was made
// with does not have them. Without them `npm ci` takes the lock file for incomplete. To be run after `npm install`.
import { readFileSync, writeFileSync } from "node:fs"

const lock = JSON.parse(readFileSync("package-lock.json", "utf8"))
let added = 0
for (const entry of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`
    if (lock.packages[key] !== undefined) continue
    const platform = /(?<os>android|darwin|freebsd|linux|openharmony|win32)-(?<cpu>[a-z0-9]+)/.exec(name)?.groups
    if (platform === undefined) continue
    lock.packages[key] = { version, cpu: [platform.cpu], dev: true, optional: true, os: [platform.os] }
    added++
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).toSorted(([a], [b]) => a < b ? -1 : 1))
writeFileSync("package-lock.json", `${JSON.stringify(lock, undefined, 2)}\n`)
process.stdout.write(`${added} packages added to the lock file\n`)
