import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { parseAgentConfig } from '../../src/agent/config.ts'
import { defaultPaths } from '../../src/agent/paths.ts'
import { birdArguments } from '../../src/bird/daemon.ts'
import { runCli } from '../../src/cli/main.ts'
import { parseControllerConfig } from '../../src/controller/config.ts'
import * as core from '../../src/kube/resources/core.ts'
import type { KubeObject, ResourceType } from '../../src/kube/resources/meta.ts'
import * as definitions from '../../src/kube/resources/net-attach-def.ts'
import { renderDefinitions } from '../../src/lab/install-resources.ts'
import * as claims from '../../src/networks/ovn/resources/ipam-claim.ts'
import * as userDefined from '../../src/networks/ovn/resources/user-defined-network.ts'
import { drivers } from '../../src/networks/registry.ts'
import * as routed from '../../src/networks/routed/resources.ts'
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts'

const root = new URL('../../', import.meta.url).pathname
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
/** The API server of the lab knows no roles, DaemonSets, Deployments and services of webhooks. */
const manifests = ['crds.yaml']

interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
}

const objectsOf = (file: string): KubeObject[] =>
  parseAllDocuments(read(`deploy/${file}`)).map((document) => document.toJS() as KubeObject)

test('the CRDs are those of the drivers (npm run crds)', () => {
  expect(read('deploy/crds.yaml')).toBe(renderDefinitions())
})

test('the configuration in the ConfigMap is one that agent, controller and networks take', () => {
  const map = objectsOf('twinlane.yaml').find(({ metadata }) => metadata.name === 'twinlane-config')
  const text = (map as { data?: Record<string, string> } | undefined)?.data?.['config.yaml'] ?? ''
  expect(parseAgentConfig(text, 'work01')).toMatchObject({ nodeName: 'work01' })
  const { networks } = parseControllerConfig(text)
  for (const driver of drivers) driver.parseSettings(networks[driver.name])
})

interface Workload extends KubeObject {
  readonly spec: {
    readonly selector: { readonly matchLabels: Record<string, string> }
    readonly template: {
      readonly metadata: { readonly labels: Record<string, string> }
      readonly spec: {
        readonly serviceAccountName: string
        readonly containers: readonly Container[]
        readonly initContainers?: readonly Container[]
        readonly volumes: readonly { readonly name: string }[]
      }
    }
  }
}

interface Container {
  readonly image: string
  readonly command: readonly string[]
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[]
}

test.each(['DaemonSet', 'Deployment'])(
  'the %s selects its own pods, has the volumes that it mounts, and an account',
  (kind) => {
    const { spec } = objectsOf('twinlane.yaml').find((object) => object.kind === kind) as Workload
    const pod = spec.template.spec
    expect(spec.template.metadata.labels).toMatchObject(spec.selector.matchLabels)
    const containers = [...pod.containers, ...(pod.initContainers ?? [])]
    expect(new Set(containers.map(({ image }) => image)).size).toBe(1)
    const mounted = containers.flatMap(({ volumeMounts }) => volumeMounts.map(({ name }) => name))
    expect([...new Set(mounted)].sort()).toEqual(pod.volumes.map(({ name }) => name).sort())
    const accounts = objectsOf('rbac.yaml').filter((object) => object.kind === 'ServiceAccount')
    expect(accounts.map(({ metadata }) => metadata.name)).toContain(pod.serviceAccountName)
  },
)

test("the agent's pod has what the agent uses of the host, and BIRD the lab's arguments", () => {
  const { spec } = objectsOf('twinlane.yaml').find((object) => object.kind === 'DaemonSet') as Workload
  const [agent, bird] = spec.template.spec.containers
  const mounts = agent?.volumeMounts.map(({ mountPath }) => mountPath) ?? []
  const { cniBinFolders, ...paths } = defaultPaths('/opt/twinlane/dist/twinlane-shim')
  const onHost = [...Object.values(paths), ...cniBinFolders].filter((path) => !path.startsWith('/opt/twinlane'))
  expect(onHost.filter((path) => !mounts.some((mount) => path === mount || path.startsWith(`${mount}/`)))).toEqual([])
  expect(bird?.command).toEqual(['bird', ...birdArguments()])
})

describe('a cluster', () => {
  let server: TestApiServer
  beforeAll(async () => {
    server = await startTestApiServer()
  }, 30_000)
  afterAll(() => server?.stop())

  test('takes the CRDs, and takes them again', async () => {
    for (const _ of [1, 2]) {
      for (const file of manifests) {
        const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
        const code = await runCli({
          argv: ['apply', '-f', join(root, 'deploy', file)],
          env: { KUBECONFIG: server.kubeconfig },
          cwd: root,
          stdin: stdin.end() as never,
          stdout: stdout as never,
          stderr: stderr as never,
        })
        expect({ file, code, error: String(stderr.read() ?? '') }).toEqual({ file, code: 0, error: '' })
      }
    }
  }, 60_000)
})

/** Folders whose code runs in a process, and what runs in the command line alone. */
const sources = {
  agent: ['src/agent', 'src/kube/events.ts', 'src/networks'],
  controller: ['src/controller', 'src/kube/events.ts', 'src/networks'],
}
const otherSide = { agent: /\/(cluster|services)\/|check-resource/, controller: /\/node\// }
const ofTheCommandLine = /\/migration\/|status-request|preview|load-topology/

const verbsOf: Readonly<Record<string, readonly string[]>> = {
  get: ['get'],
  find: ['get'],
  list: ['list'],
  pages: ['list'],
  create: ['create'],
  update: ['update'],
  updateStatus: ['update'],
  patch: ['patch'],
  delete: ['delete'],
}

/** Names that stand for several kinds, or for one under another name. */
const kinds = new Map<string, readonly ResourceType[]>([
  ...Object.entries({ ...core, ...definitions, ...claims, ...userDefined, ...routed }).flatMap(
    ([name, value]): [string, ResourceType[]][] => (isType(value) ? [[name, [value]]] : []),
  ),
  ['podType', [core.pods]],
  ['nodeType', [core.nodes]],
  // In cluster/secondary alone.
  ['type', [userDefined.userDefinedNetworks, userDefined.clusterUserDefinedNetworks]],
])

function isType(value: unknown): value is ResourceType {
  return typeof value === 'object' && value !== null && 'plural' in value && 'group' in value
}

/** `verb group/plural` of every request that a process' source makes of a kind by its name. */
function requestsOf(process: keyof typeof sources): Set<string> {
  const found = new Set<string>()
  for (const path of sources[process].flatMap(filesOf)) {
    if (otherSide[process].test(path) || ofTheCommandLine.test(path)) continue
    const text = read(path)
    for (const [, verb = '', name = ''] of text.matchAll(/(?:kube|client)\.(\w+)\(\s*(\w+)/g)) {
      const isStatus = verb === 'updateStatus' || /subresource: 'status'/.test(text)
      for (const type of kinds.get(name) ?? []) {
        for (const each of verbsOf[verb] ?? []) {
          const isOfStatus = isStatus && (verb === 'updateStatus' || verb === 'patch')
          found.add(`${each} ${type.group}/${type.plural}${isOfStatus ? '/status' : ''}`)
        }
      }
    }
    for (const [, name = ''] of text.matchAll(/(?:createInformer(?:<\w+>)?\([\w.#]+,\s*|\binformer\()(\w+)/g)) {
      for (const { group, plural } of name === 'type' ? [] : (kinds.get(name) ?? [])) {
        for (const verb of ['list', 'watch']) found.add(`${verb} ${group}/${plural}`)
      }
    }
  }
  return found
}

function filesOf(path: string): string[] {
  if (statSync(join(root, path)).isFile()) return [path]
  return readdirSync(join(root, path))
    .flatMap((name) => filesOf(`${path}/${name}`))
    .filter((each) => {
      return each.endsWith('.ts') && !each.endsWith('.test.ts')
    })
}

function grantedTo(account: string): Set<string> {
  const objects = objectsOf('rbac.yaml') as (KubeObject & {
    rules?: Rule[]
    roleRef?: { name: string }
    subjects?: { name: string }[]
  })[]
  const roles = objects.filter(({ subjects }) => subjects?.some(({ name }) => name === account))
  const names = roles.map(({ roleRef }) => roleRef?.name)
  const rules = objects.flatMap(({ metadata, rules: own }) => (names.includes(metadata.name) ? (own ?? []) : []))
  return new Set(
    rules.flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) => verbs.map((verb) => `${verb} ${group}/${resource}`)),
      ),
    ),
  )
}

describe.each(['agent', 'controller'] as const)('the role of the %s', (process) => {
  test('has every request that its source makes', () => {
    const granted = grantedTo(`twinlane-${process}`)
    const asked = requestsOf(process)
    expect(asked.size).toBeGreaterThan(20)
    expect([...asked].filter((request) => !granted.has(request))).toEqual([])
  })

  test('changes nothing that its source does not change', () => {
    const asked = requestsOf(process)
    const changes = [...grantedTo(`twinlane-${process}`)].filter((request) => !/^(get|list|watch) /.test(request))
    expect(changes.filter((request) => !asked.has(request))).toEqual([])
  })

  test('lets it read no secret outside its own namespace, and change no object that is not the network’s', () => {
    const everywhere = objectsOf('rbac.yaml').filter(({ kind }) => kind === 'ClusterRole') as (KubeObject & {
      rules: Rule[]
    })[]
    for (const { rules } of everywhere) {
      for (const { resources, verbs, apiGroups } of rules) {
        expect(resources).not.toContain('secrets')
        expect([...resources, ...verbs, ...apiGroups]).not.toContain('*')
      }
    }
  })
})
