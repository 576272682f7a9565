import { describe, expect, it } from 'vitest'
import type { PodResource } from '../../../kube/resources/core.ts'
import { buildEnv, expand } from './env.ts'

const pod = {
  metadata: { name: 'p', namespace: 'default', uid: 'u', labels: { app: 'web' } },
  spec: { nodeName: 'work01' },
} as unknown as PodResource

const facts = { hostname: 'p', hostIp: '192.168.122.101', podIps: ['10.244.1.2', 'fd00::2'] }
const bytes = (values: Record<string, string>) =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Buffer.from(value)]))
const sources = {
  configMaps: new Map([['cm', bytes({ a: '1', b: '2' })]]),
  secrets: new Map([['s', bytes({ key: 'x' })]]),
}

function env(container: object): Record<string, string> {
  return buildEnv({ pod, container: { name: 'main', ...container }, image: ['PATH=/bin'], sources, facts })
}

describe('expand', () => {
  it.each([
    ['$(A)', 'one'],
    ['$(A)$(B)', 'onetwo'],
    ['$$(A)', '$(A)'],
    ['$(UNKNOWN)', '$(UNKNOWN)'],
    ['$A $ $(A', '$A $ $(A'],
  ])('turns %s into %s', (text, expected) => {
    expect(expand(text, { A: 'one', B: 'two' })).toBe(expected)
  })
})

describe('buildEnv', () => {
  it('lets later entries see and replace earlier ones', () => {
    const list = [
      { name: 'X', value: 'x' },
      { name: 'Y', value: '$(X)$(X)' },
      { name: 'PATH', value: '/mine' },
    ]
    expect(env({ env: list })).toEqual({ PATH: '/mine', HOSTNAME: 'p', X: 'x', Y: 'xx' })
  })

  it('takes config maps and secrets whole, with a prefix, or by key', () => {
    const envFrom = [{ prefix: 'C_', configMapRef: { name: 'cm' } }]
    const list = [{ name: 'K', valueFrom: { secretKeyRef: { name: 's', key: 'key' } } }]
    expect(env({ envFrom, env: list })).toMatchObject({ C_a: '1', C_b: '2', K: 'x' })
  })

  it('knows the fields of the downward API', () => {
    const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } })
    const list = [field('IPS', 'status.podIPs'), field('APP', "metadata.labels['app']"), field('NODE', 'spec.nodeName')]
    expect(env({ env: list })).toMatchObject({ IPS: '10.244.1.2,fd00::2', APP: 'web', NODE: 'work01' })
  })

  it('names what is missing, unless it is optional', () => {
    const key = (optional: boolean) => [
      { name: 'K', valueFrom: { configMapKeyRef: { name: 'cm', key: 'zzz', optional } } },
    ]
    expect(() => env({ env: key(false) })).toThrow("couldn't find key zzz in ConfigMap default/cm")
    expect(env({ env: key(true) })).not.toHaveProperty('K')
    expect(() => env({ envFrom: [{ secretRef: { name: 'no' } }] })).toThrow('secret "no" not found')
  })
})
