import { describe, expect, it } from 'vitest'
import type { NodeResource } from '../../../kube/resources/core.ts'
import type { IPPool, IPPoolSpec } from '../resources.ts'
import { findShortages } from './find-shortages.ts'

const pool = (name: string, spec: Partial<IPPoolSpec> & { cidr: string }): IPPool => ({ metadata: { name }, spec })
const nodes = (count: number, labels: Record<string, string> = {}): NodeResource[] =>
  Array.from({ length: count }, (_, index) => ({ metadata: { name: `n${index}`, labels } }))

describe('findShortages', () => {
  const article = pool('article', { cidr: '10.244.0.0/16', blockSize: 24 })

  it('is content with a block for each node, and names the pool, the nodes and the blocks otherwise', () => {
    expect(findShortages([article], nodes(256))).toEqual([])
    expect(findShortages([article], nodes(257))).toEqual([
      {
        pool: article,
        message: expect.stringMatching(/^257 nodes take blocks from article, which has 256: 1 of them/),
      },
    ])
  })

  it('counts all pools of a node together, and each group of nodes by itself', () => {
    const second = pool('second', { cidr: '10.245.0.0/30', blockSize: 32 })
    expect(findShortages([article, second], nodes(260))).toEqual([])
    const gpu = pool('gpu', { cidr: '10.246.0.0/31', blockSize: 32, nodeSelector: "kind == 'gpu'" })
    const cpu = pool('cpu', { cidr: '10.247.0.0/24', blockSize: 32, nodeSelector: "kind == 'cpu'" })
    const all = [...nodes(3, { kind: 'gpu' }), ...nodes(9, { kind: 'cpu' })]
    expect(findShortages([gpu, cpu], all).map((each) => each.pool.metadata.name)).toEqual(['gpu'])
  })

  it('does not count pools that pods get nothing from by themselves, nor nodes without any pool', () => {
    const manual = pool('manual', { cidr: '10.246.0.0/31', blockSize: 32, assignmentMode: 'Manual' })
    expect(findShortages([manual], nodes(5))).toEqual([])
    const disabled = pool('disabled', { cidr: '10.246.0.0/24', blockSize: 32, disabled: true })
    const small = pool('small', { cidr: '10.248.0.0/31', blockSize: 32 })
    expect(findShortages([small, disabled], nodes(3))).toHaveLength(1)
  })

  it('looks at each family by itself', () => {
    const six = pool('six', { cidr: 'fd00:10::/121', blockSize: 122 })
    expect(findShortages([article, six], nodes(3)).map((each) => each.pool.metadata.name)).toEqual(['six'])
  })
})
