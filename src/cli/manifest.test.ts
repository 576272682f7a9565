import { describe, expect, test } from 'vitest'
import { KubeError } from '../kube/errors.ts'
import { parseManifest } from './manifest.ts'
import { checkManifest, locateServerError } from './manifest-check.ts'

const document = (text: string) => {
  const [manifest] = parseManifest(text, 'f.yaml')
  if (manifest === undefined) throw new Error('no document')
  return manifest
}

const bgpConfiguration = (field: string): string =>
  `apiVersion: projectcalico.org/v3\nkind: BGPConfiguration\nmetadata:\n  name: default\nspec:\n  ${field}\n`

describe('a manifest', () => {
  test('is split into documents and lists, and empty documents are skipped', () => {
    const pod = 'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n'
    const list = 'apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: b}}\n'
    const manifests = parseManifest(`---\n${pod}---\n# nothing\n---\n${list}`, 'f.yaml')
    expect(manifests.map(({ object }) => object.metadata.name)).toEqual(['a', 'b'])
    expect(manifests[1]?.lineOf(['metadata', 'name'])).toBe(11)
  })

  test('knows the line of a field, in the second document too', () => {
    const [, second] = parseManifest(
      `a: 1\n---\n${bgpConfiguration('asNumber: 1')}`.replace(
        'a: 1\n',
        'apiVersion: v1\nkind: A\nmetadata: {name: x}\n',
      ),
      'f.yaml',
    )
    expect(second?.where).toBe('f.yaml, document 2 (BGPConfiguration default)')
    expect(second?.lineOf(['spec', 'asNumber'])).toBe(10)
    expect(second?.lineOf(['spec', 'missing'])).toBe(9)
  })

  test.each([
    ['a: b\n c: d\n', /f\.yaml, line 1, column 4/],
    ['kind: Pod\nmetadata: {name: a}\n', /f\.yaml \(Pod a\), line 1: apiVersion: is missing/],
    ['apiVersion: v1\nkind: Pod\nmetadata: {}\n', /line 3: metadata.name: is missing/],
    ['- 1\n- 2\n', /is not an object/],
  ])('that cannot be used is refused with its place: %j', (text, expected) => {
    expect(() => parseManifest(text, 'f.yaml')).toThrow(expected)
  })
})

describe('the check of a manifest', () => {
  const node = (field: string): string =>
    `apiVersion: projectcalico.org/v3\nkind: Node\nmetadata: {name: a}\nspec:\n  bgp:\n    ${field}\n`
  const pool = (spec: string): string =>
    `apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: a}\nspec:\n  ${spec}\n`

  test('accepts what the article writes', async () => {
    await checkManifest(document(bgpConfiguration('nodeToNodeMeshEnabled: false')))
    await checkManifest(document(node('routeReflectorClusterID: 1.2.3.4')))
  })

  test('names document, line and field of an unknown field, and what was meant', async () => {
    await expect(checkManifest(document(bgpConfiguration('nodeToNodeMesh: false')))).rejects.toThrow(
      expect.objectContaining({
        message:
          'f.yaml (BGPConfiguration default), line 6: spec.nodeToNodeMesh: field is not recognized or is in the wrong location',
        fix: 'did you mean "nodeToNodeMeshEnabled"?',
      }),
    )
  })

  test.each([
    [bgpConfiguration('asNumber: many'), 'line 6: spec.asNumber: must be of type integer'],
    [node('routeReflectorClusterId: 1.2.3.4'), 'line 6: spec.bgp.routeReflectorClusterId'],
    [node('asNumber: 99999999999'), 'line 6: spec.bgp.asNumber: "99999999999" is not an AS number'],
    [pool('natOutgoing: true'), 'line 4: spec.cidr: Required value'],
    [pool('ipipMode: always\n  cidr: 10.0.0.0/8'), 'line 5: spec.ipipMode: Unsupported value: "always"'],
    [pool('cidr: 10.0.0.0/8\n  blockSize: 8'), 'line 6: spec.blockSize: Invalid value: 8: should be greater than'],
  ])('refuses what the kind cannot hold: %j', async (text, expected) => {
    await expect(checkManifest(document(text))).rejects.toThrow(expected)
  })

  test('puts the line beside a field that the server refuses', () => {
    const manifest = document('apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - nam: x\n')
    const strict = new KubeError('strict decoding error: unknown field "spec.containers[0].nam"', { statusCode: 400 })
    expect(locateServerError(manifest, strict).message).toContain('f.yaml (Pod a), line 6: spec.containers[0].nam')
    const other = new KubeError('no', { statusCode: 403 })
    expect(locateServerError(manifest, other)).toBe(other)
  })
})
