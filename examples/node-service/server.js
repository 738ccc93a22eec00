import { createServer } from 'node:http'
import { greeting } from 'greeting'

const server = createServer((_request, response) => response.end(`${greeting('world')}\n`))
server.listen(Number(process.env.PORT), () => {
  if (process.argv[2] !== '--once') return
  // To try it: asks itself once, and ends.
  fetch(`http://localhost:${server.address().port}/`)
    .then((response) => response.text())
    .then((text) => {
      process.stdout.write(text)
      server.close()
    })
})
process.on('SIGTERM', () => server.close())
