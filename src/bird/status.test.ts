import { expect, it } from 'vitest'
import { parseReplyLines } from './reply.ts'
import { parseStatus } from './status.ts'

/** What BIRD 2.0.12 answers on its socket. */
const reply = `1000-BIRD 2.0.12
1011-Router ID is 192.168.100.10
 Hostname is master01
 Current server time is 2026-11-24 11:33:44.135
 Last reboot on 2026-11-24 11:33:43.634
 Last reconfiguration on 2026-11-24 11:33:43.900
0013 Daemon is up and running
`

it('parseStatus reads version, router ID and times', () => {
  const { lines } = parseReplyLines(reply)
  expect(parseStatus({ lines, text: lines.map(({ text }) => text).join('\n') })).toEqual({
    version: '2.0.12',
    routerId: '192.168.100.10',
    lastBoot: '2026-11-24 11:33:43.634',
    lastReconfiguration: '2026-11-24 11:33:43.900',
    isRecovering: false,
  })
})
