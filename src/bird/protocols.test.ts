import { describe, expect, it } from 'vitest'
import { parseProtocols } from './protocols.ts'
import { parseReplyLines } from './reply.ts'

/** Recorded from BIRD 2.0.12. */
const plain =
  '2002-Name       Proto      Table      State  Since         Info\n' +
  '1002-device1    Device     ---        up     05:43:46      \n' +
  ' kernel4    Kernel     master4    up     05:43:46      \n' +
  ' Mesh_192_168_100_101 BGP        ---        start  05:43:46      Passive       \n' +
  ' Node_192_168_100_102 BGP        ---        up     2023-01-16    Established   \n' +
  '0000 \n'

const all =
  '2002-Name       Proto      Table      State  Since         Info\n' +
  '1002-Node_192_168_100_101 BGP        ---        start  05:43:46      Active        Socket: Connection refused\n' +
  '1006-  Description:    x\n   BGP state:          Active\n     Neighbor address: 192.168.100.101\n' +
  '     Neighbor AS:      63400\n     Local AS:         63400\n     Last error:       Socket: Connection refused\n' +
  '   Channel ipv4\n     State:          DOWN\n \n0000 \n'

function parse(text: string) {
  const { lines } = parseReplyLines(text)
  return parseProtocols({ lines, text: '' })
}

describe('parseProtocols', () => {
  it('reads rows whose long names push the columns', () => {
    expect(parse(plain)).toEqual([
      { name: 'device1', protocol: 'Device', table: '---', state: 'up', since: '05:43:46', info: '' },
      { name: 'kernel4', protocol: 'Kernel', table: 'master4', state: 'up', since: '05:43:46', info: '' },
      {
        name: 'Mesh_192_168_100_101',
        protocol: 'BGP',
        table: '---',
        state: 'start',
        since: '05:43:46',
        info: 'Passive',
      },
      {
        name: 'Node_192_168_100_102',
        protocol: 'BGP',
        table: '---',
        state: 'up',
        since: '2023-01-16',
        info: 'Established',
      },
    ])
  })

  it('adds the neighbour and the last error from the details', () => {
    expect(parse(all)).toEqual([
      {
        name: 'Node_192_168_100_101',
        protocol: 'BGP',
        table: '---',
        state: 'start',
        since: '05:43:46',
        info: 'Active Socket: Connection refused',
        neighborAddress: '192.168.100.101',
        neighborAsNumber: 63400,
        lastError: 'Socket: Connection refused',
      },
    ])
  })
})
