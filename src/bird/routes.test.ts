import { expect, it } from 'vitest'
import { parseReplyLines } from './reply.ts'
import { parseRoutes } from './routes.ts'

/** What BIRD 2.0.12 answers on its socket. */
const reply = `1007-Table master4:
 10.3.0.0/16          unicast [Node_192_168_100_10 09:37:03.966] * (100/0) [i]
 	via 10.0.0.2 on x0 weight 1
 	via 10.0.0.3 on x0 weight 1
 10.1.0.0/16          unicast [Mesh_192_168_100_1 09:37:03.966] * (100) [AS65000i]
 	via 10.0.0.2 on x0
                      unicast [static4 09:37:03.966] (1)
 	via 10.0.0.9 on x0
 10.2.0.0/16          blackhole [static4 2026-11-23] * (200)
1007-
 Table master6:
 fd00:10::/64         unicast [Node_fd00__2 09:37:03.966] * (100) [i]
 	via fe80::1 on x0
0000 
`

it('parseRoutes reads destinations, where they come from, every next hop, and which one is used', () => {
  const { lines } = parseReplyLines(reply)
  const used = (destination: string, protocol: string, gateways: string[]) => ({
    destination,
    protocol,
    gateways,
    isPrimary: true,
    ...(gateways.length === 0 ? {} : { interfaceName: 'x0' }),
  })
  expect(parseRoutes({ lines, text: '' })).toEqual([
    used('10.3.0.0/16', 'Node_192_168_100_10', ['10.0.0.2', '10.0.0.3']),
    used('10.1.0.0/16', 'Mesh_192_168_100_1', ['10.0.0.2']),
    { ...used('10.1.0.0/16', 'static4', ['10.0.0.9']), isPrimary: false },
    used('10.2.0.0/16', 'static4', []),
    used('fd00:10::/64', 'Node_fd00__2', ['fe80::1']),
  ])
})
