import net, { type AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

export interface Faults {
  /** Bytes that a connection brings before it is cut off. */
  readonly cutDownAfter?: number
  /** Bytes that a connection takes before it is cut off. */
  readonly cutUpAfter?: number
  /** Connections that are let through whole, after so many that were not. */
  readonly mercyAfter?: number
}

/** Stands between a client and a registry on loopback, and does to connections what bad networks do. */
export async function faultProxy(
  port: number,
  faults: Faults,
): Promise<{ readonly host: string; cuts(): number; down(): number }> {
  let cuts = 0
  let brought = 0
  const server = net.createServer((client) => {
    const upstream = net.connect(port, '127.0.0.1')
    const merciful = faults.mercyAfter !== undefined && cuts >= faults.mercyAfter
    let down = 0
    let up = 0
    const cut = () => {
      if (!client.destroyed) cuts++
      client.resetAndDestroy()
      upstream.destroy()
    }
    const limited = (from: net.Socket, to: net.Socket, limit: number | undefined, count: (n: number) => number) => {
      from.on('data', (chunk: Buffer) => {
        const total = count(chunk.length)
        if (limit === undefined || merciful || total <= limit) {
          if (!to.write(chunk)) {
            from.pause()
            to.once('drain', () => from.resume())
          }
          return
        }
        to.write(chunk.subarray(0, Math.max(0, chunk.length - (total - limit))), () => setImmediate(cut))
        from.pause()
      })
      from.on('end', () => to.end())
      from.on('error', () => to.destroy())
      from.on('close', () => to.destroy())
    }
    limited(upstream, client, faults.cutDownAfter, (n) => {
      brought += n
      return (down += n)
    })
    limited(client, upstream, faults.cutUpAfter, (n) => (up += n))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, cuts: () => cuts, down: () => brought }
}
