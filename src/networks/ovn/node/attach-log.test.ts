import { expect, test } from 'vitest'
import type { AttachmentRef } from '../../driver.ts'
import { renderLine } from './attach-log.ts'

const ref = {
  containerId: '0123456789abcdef',
  ifName: 'eth1',
  pod: { namespace: 'default', name: 'a', uid: 'u' },
  networkName: 'default/yusur-ovn',
} as AttachmentRef
const done = { verb: 'ADD', ms: 45.4, result: '10.144.0.3/24', stages: 'annotation 3 ms' } as const

test('logLevel decides about times and good news, never about failures', () => {
  const whom = '[default/a eth1 0123456789ab] ADD of default/yusur-ovn'
  expect(renderLine(ref, done, 5)).toBe(`I ${whom} done in 45 ms: 10.144.0.3/24 (annotation 3 ms)`)
  expect(renderLine(ref, done, 1)).toBe(`I ${whom} done in 45 ms: 10.144.0.3/24`)
  expect(renderLine(ref, done, 0)).toBeUndefined()
  expect(renderLine(ref, { ...done, error: new Error('no') }, 0)).toBe(`E ${whom} failed after 45 ms: no`)
})
