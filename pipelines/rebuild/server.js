const http = require('http')

const version = process.env.NODE_VERSION
const page = `Hello from node ${version}\n`

http.createServer((_, response) => response.end(page)).listen(80)
