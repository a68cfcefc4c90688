// Is well from when there is a file `go` in the folder it is told, until there is a file `ill`, and says so in every way: it
// answers by HTTP, prints lines, writes a file and to descriptor 3, and makes a file `well`.
import { existsSync, rmSync, writeFileSync, writeSync } from "node:fs"
import { createServer } from "node:http"

const folder = process.argv[2]
let status = 503
let beat

const server = createServer((request, answer) => {
  if (existsSync(`${folder}/hang`)) return
  answer.writeHead(request.url === "/health" ? status : 404).end("x".repeat(100_000))
})

const beats = () => {
  console.log("all is well")
  writeFileSync(`${folder}/beat`, String(Math.random()))
  try {
    writeSync(3, "\n")
  } catch {
    // Not all have been given one.
  }
}

const look = () => {
  if (status === 503 && existsSync(`${folder}/go`)) {
    status = 200
    beats()
    beat = setInterval(beats, 20)
    writeFileSync(`${folder}/well`, "")
    server.listen(Number(process.env["PORT"]), "127.0.0.1")
  }
  if (status === 200 && existsSync(`${folder}/ill`)) {
    status = 500
    clearInterval(beat)
    rmSync(`${folder}/well`)
    if (existsSync(`${folder}/deaf`)) server.close()
  }
}

setInterval(look, 5)
writeFileSync(`${folder}/up`, String(process.pid))
