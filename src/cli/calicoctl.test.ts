import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApiServer, type TestApiServer } from '../../test/support/api-server.ts'
import { createKubeClient } from '../kube/client.ts'
import { loadKubeConfig } from '../kube/kubeconfig.ts'
import { nodes } from '../kube/resources/core.ts'
import { installResources } from '../lab/install-resources.ts'
import { runCli } from './main.ts'

let server: TestApiServer

beforeAll(async () => {
  server = await startTestApiServer()
  const client = createKubeClient(await loadKubeConfig(server.kubeconfig))
  await installResources(client)
  await client.create(nodes, {
    metadata: { name: 'master01', annotations: { 'projectcalico.org/IPv4Address': '192.168.100.10/24' } },
  })
  await client.close()
  expect((await twinlane('create -f -', everyKind)).err).toBe('')
}, 30_000)
afterAll(() => server?.stop())

/** Runs a line as the shell would; words are split at blanks. */
async function twinlane(line: string, input?: string): Promise<{ code: number; out: string; err: string }> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  stdin.end(input)
  const env = { KUBECONFIG: server.kubeconfig }
  const streams = { stdin: stdin as never, stdout: stdout as never, stderr: stderr as never }
  const code = await runCli({ argv: line.split(' '), env, cwd: '/', ...streams })
  const read = (stream: PassThrough): string => String((stream.read() as Buffer | null) ?? '')
  return { code, out: read(stdout), err: read(stderr) }
}

const calico = (kind: string, name: string, spec: string): string =>
  `apiVersion: projectcalico.org/v3\nkind: ${kind}\nmetadata: {name: ${name}}\nspec: ${spec}\n`

const everyKind = [
  calico('IPPool', 'main', '{cidr: 10.244.0.0/16, blockSize: 24, natOutgoing: true}'),
  calico('IPReservation', 'kept', '{reservedCIDRs: [10.244.0.0/30, 10.244.9.9]}'),
  calico('BGPPeer', 'tor', '{peerIP: 192.0.2.1, asNumber: 65000}'),
  calico('BGPConfiguration', 'default', '{asNumber: 63400}'),
  calico('BGPFilter', 'own', '{exportV4: [{action: Accept}], exportV6: [{action: Reject}]}'),
  calico('IPAMConfiguration', 'default', '{strictAffinity: true}'),
  calico('CalicoNodeStatus', 'look', '{node: master01, classes: [Agent, BGP], updatePeriodSeconds: 10}'),
].join('---\n')

describe("calicoctl's habits", () => {
  test.each([
    ['ippools', 'NAME   CIDR            SELECTOR\nmain   10.244.0.0/16   all()\n'],
    ['ipreservations -o wide', 'NAME   CIDRS\nkept   10.244.0.0/30,10.244.9.9\n'],
    ['bgpfilters', 'NAME   NUMEXPORT   NUMIMPORT\nown    2           0\n'],
    ['caliconodestatus -o wide', 'NAME   NODE       CLASSES\nlook   master01   Agent,BGP\n'],
    ['ipamconfig', 'NAME      STRICTAFFINITY   AUTOALLOCATEBLOCKS\ndefault   true             true\n'],
    ['ippool -o custom-columns=NAME,nat', 'NAME   NAT\nmain   true\n'],
    ['node -o custom-columns=NAME,ASN', 'NAME       ASN\nmaster01   (63400)\n'],
  ])('get %s has its columns', async (line, expected) => {
    expect(await twinlane(`get ${line}`)).toEqual({ code: 0, out: expected, err: '' })
  })

  test('a column that the kind does not have is refused with those that it has', async () => {
    const { code, err } = await twinlane('get ippool -o custom-columns=NAME,NATS')
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining('have the columns NAME, CIDR, NAT') })
  })

  test('a template of Go is refused with what to write instead', async () => {
    expect(await twinlane('get ippool -o go-template={{.spec}}')).toMatchObject({
      code: 2,
      err: expect.stringMatching(/templates of Go are not understood\nfix: .*jsonpath/),
    })
  })

  test('what is exported can be created again, and is the same', async () => {
    const { out } = await twinlane('get ippools,bgppeers,nodes -o yaml --export')
    expect(out).not.toMatch(/resourceVersion: "\d|uid:|creationTimestamp|kube-labels|status:/)
    const pools = (await twinlane('get ippools -o yaml --export')).out
    expect((await twinlane('delete ippool main')).code).toBe(0)
    expect((await twinlane('create -f -', pools)).out).toBe("Successfully created 1 'IPPool' resource(s)\n")
    expect((await twinlane('get ippools -o yaml --export')).out).toBe(pools)
  })

  test('get -f shows what files name; names that are not there do not hide the others', async () => {
    expect((await twinlane('get -f - -o name', everyKind)).out.split('\n')).toHaveLength(8)
    const some = await twinlane('get ippools no main never')
    expect(some).toMatchObject({ code: 1, out: expect.stringContaining('main   10.244.0.0/16') })
    expect(some.err).toBe('error: resource does not exist: IPPool(no)\nerror: resource does not exist: IPPool(never)\n')
  })

  test('create tells what is there already, and passes over it when told to', async () => {
    const again = await twinlane('create -f -', everyKind)
    expect(again).toMatchObject({ code: 1, out: '' })
    expect(again.err).toContain('error: resource already exists: BGPPeer(tor)\n')
    const more = `${everyKind}---\n${calico('BGPPeer', 'second', '{peerIP: 192.0.2.2}')}`
    const skipped = await twinlane('create -f - --skip-exists', more)
    expect(skipped).toMatchObject({ code: 0, out: "Successfully created 1 'BGPPeer' resource(s)\n" })
    expect(skipped.err).toContain('bgppeer.projectcalico.org/tor exists already, skipped')
  })

  test('delete passes over what is not there when told to', async () => {
    expect(await twinlane('delete bgppeer nobody')).toMatchObject({
      code: 1,
      err: 'error: resource does not exist: BGPPeer(nobody)\n',
    })
    expect(await twinlane('delete bgppeer nobody --skip-not-exists')).toEqual({ code: 0, out: '', err: '' })
  })

  test('files without an object are an error, unless told otherwise', async () => {
    expect((await twinlane('apply -f -', '---\n')).err).toBe('error: -: holds no object\n')
    expect(await twinlane('apply -f - --skip-empty', '---\n')).toEqual({ code: 0, out: '', err: '' })
  })

  test('label --remove takes the key', async () => {
    await twinlane('label nodes master01 rack=a')
    expect((await twinlane('label nodes master01 rack --remove')).out).toBe('node/master01 unlabeled\n')
    expect((await twinlane('label nodes master01 rack=a --remove')).err).toContain(
      'takes a key, and "rack=a" has a value',
    )
  })

  test('patch is judged as a file is: by fields, by rules, and as the operations that it is', async () => {
    const patch = (text: string): Promise<{ err: string; out: string }> => twinlane(`patch bgppeer tor -p ${text}`)
    expect((await patch('{"spec":{"asNumber":65001}}')).out).toBe("Successfully patched 1 'BGPPeer' resource\n")
    expect((await patch('{"spec":{"asNumbr":65001}}')).err).toMatch(
      /spec\.asNumbr: field is not recog.*\nfix: did you mean "asNumber"/,
    )
    expect((await patch('{"spec":{"peerSelector":"all()"}}')).err).toBe(
      'error: BGPPeer tor: spec.peerSelector: cannot be set together with peerIP\n',
    )
    expect((await patch('[{"op":"remove","path":"/spec/asNumber"}]')).err).toContain('fix: say --type json')
    expect((await patch('[{"op":"remove","path":"/spec/peerIP"}] -t json')).err).toContain('spec.peerIP: is empty')
    expect((await patch('[{"op":"remove","path":"/spec/asNumber"}] -t json')).out).toContain('Successfully patched 1')
  })

  test('a file may change from an address to a selector, which leaves the address out', async () => {
    await twinlane('apply -f -', calico('BGPPeer', 'turn', '{peerIP: 192.0.2.7, asNumber: 65000}'))
    const turned = await twinlane('apply -f -', calico('BGPPeer', 'turn', '{peerSelector: has(rr)}'))
    expect(turned).toEqual({ code: 0, out: "Successfully applied 1 'BGPPeer' resource(s)\n", err: '' })
    expect((await twinlane('get bgppeer turn -o jsonpath={.spec}')).out).toBe('{"peerSelector":"has(rr)"}\n')
  })
})
