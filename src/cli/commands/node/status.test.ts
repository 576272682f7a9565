import { describe, expect, test } from 'vitest'
import type { BirdProtocolState } from '../../../bird/protocols.ts'
import { renderNodeStatus } from './status.ts'

const session = (name: string, more: Partial<BirdProtocolState> = {}): BirdProtocolState => ({
  name,
  protocol: 'BGP',
  table: '---',
  state: 'up',
  since: '2023-01-16',
  info: 'Established',
  ...more,
})

describe('node status', () => {
  test("prints the article's transcript of master01", () => {
    const protocols = [
      session('device1', { protocol: 'Device' }),
      session('Node_192_168_100_101'),
      session('Node_192_168_100_102'),
    ]
    expect(`${renderNodeStatus(protocols)}\n`).toBe(`Calico process is running.

IPv4 BGP status
+-----------------+---------------+-------+------------+-------------+
|  PEER ADDRESS   |   PEER TYPE   | STATE |   SINCE    |    INFO     |
+-----------------+---------------+-------+------------+-------------+
| 192.168.100.101 | node specific | up    | 2023-01-16 | Established |
| 192.168.100.102 | node specific | up    | 2023-01-16 | Established |
+-----------------+---------------+-------+------------+-------------+

IPv6 BGP status
No IPv6 peers found.

`)
  })

  test("prints the article's transcript of work01", () => {
    const table = renderNodeStatus([session('Node_192_168_100_10')])
    expect(table).toContain(`
+----------------+---------------+-------+------------+-------------+
|  PEER ADDRESS  |   PEER TYPE   | STATE |   SINCE    |    INFO     |
+----------------+---------------+-------+------------+-------------+
| 192.168.100.10 | node specific | up    | 2023-01-16 | Established |
+----------------+---------------+-------+------------+-------------+
`)
  })

  test('tells mesh, node and global peers apart and shows seconds of a young session', () => {
    const table = renderNodeStatus([
      session('Mesh_10_0_0_1', { since: '07:28:52.123' }),
      session('Global_10_0_0_2', { state: 'start', info: 'Active Socket: Connection refused' }),
      session('tor'),
    ])
    expect(table).toContain(
      '| 10.0.0.1     | node-to-node mesh | up    | 07:28:52   | Established                       |',
    )
    expect(table).toContain(
      '| 10.0.0.2     | global            | start | 2023-01-16 | Active Socket: Connection refused |',
    )
    expect(table).not.toContain('tor')
  })

  test('puts IPv6 peers under their own heading', () => {
    const text = renderNodeStatus([session('Node_fd00__1', { neighborAddress: 'fd00::1' })])
    expect(text).toContain('IPv4 BGP status\nNo IPv4 peers found.\n\nIPv6 BGP status\n+')
    expect(text).toContain('| fd00::1 ')
  })
})
