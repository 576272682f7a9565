import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ExecResult } from '../../src/base/exec.ts'
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts'
import { createKubectl, findKubectls, type Kubectl } from '../support/kubectl.ts'

const configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { color: 'red' } }

const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', labels: { app: 'web' } },
  spec: { containers: [{ name: 'main', image: 'nginx:1.27', ports: [{ containerPort: 80 }] }] },
}

const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web' },
  spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
}

const node = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'work01', labels: { 'node-role.kubernetes.io/worker': '' } },
  status: {
    addresses: [{ type: 'InternalIP', address: '192.168.122.101' }],
    conditions: [{ type: 'Ready', status: 'True' }],
  },
}

const widgets = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'widgets', kind: 'Widget', shortNames: ['wd'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        additionalPrinterColumns: [
          { name: 'Size', type: 'integer', jsonPath: '.spec.size' },
          { name: 'Color', type: 'string', jsonPath: '.spec.color', priority: 1 },
        ],
        schema: {
          openAPIV3Schema: {
            type: 'object',
            description: 'A thing to test with.',
            properties: {
              spec: {
                type: 'object',
                required: ['size'],
                properties: {
                  size: { type: 'integer', minimum: 1, description: 'How big it is.' },
                  color: { type: 'string', default: 'red', enum: ['red', 'blue'] },
                  parts: {
                    type: 'array',
                    'x-kubernetes-list-type': 'map',
                    'x-kubernetes-list-map-keys': ['name'],
                    items: {
                      type: 'object',
                      required: ['name'],
                      properties: { name: { type: 'string' }, count: { type: 'integer' } },
                    },
                  },
                },
              },
              status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
            },
          },
        },
      },
    ],
  },
}

const widget = (spec: object) => ({ apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'one' }, spec })

describe.each(findKubectls())('kubectl $version', (binary) => {
  let api: TestApiServer
  let kubectl: Kubectl

  beforeAll(async () => {
    api = await startTestApiServer()
    kubectl = await createKubectl(binary, api.kubeconfig)
    await ok(kubectl.withInput(widgets, 'apply', '-f', '-'))
    await ok(kubectl('wait', '--for=condition=Established', 'crd/widgets.example.com', '--timeout=10s'))
  })

  afterAll(async () => {
    await kubectl?.close()
    await api?.stop()
  })

  const apply = (object: object, ...args: string[]) => kubectl.withInput(object, 'apply', ...args, '-f', '-')
  const applyOnServer = (object: object, ...args: string[]) => apply(object, '--server-side', ...args)
  const json = async (...args: string[]) => JSON.parse(await ok(kubectl('get', ...args, '-o', 'json')))

  it('apply creates an object, leaves it alone the second time and changes what has changed', async () => {
    for (const object of [configMap, pod, service, node]) {
      expect(await ok(apply(object))).toMatch(/ created\n$/)
      expect(await ok(apply(object))).toMatch(/ unchanged\n$/)
    }
    expect(await ok(apply({ ...configMap, data: { color: 'blue' } }))).toBe('configmap/settings configured\n')
    expect(await ok(kubectl('get', 'cm', 'settings', '-o', 'jsonpath={.data.color}'))).toBe('blue')
    const relabelled = { ...pod, metadata: { ...pod.metadata, labels: { tier: 'front' } } }
    expect(await ok(apply(relabelled))).toBe('pod/web configured\n')
    expect((await json('pod', 'web')).metadata.labels).toEqual({ tier: 'front' })
    await ok(apply(pod))
  })

  it('apply merges the ports of a service by their number, as a strategic merge patch does', async () => {
    const two = { ...service, metadata: { name: 'ports' }, spec: { ports: [port(80, 'http'), port(443, 'https')] } }
    await ok(apply(two))
    const swapped = { ...two, spec: { ports: [port(443, 'https'), port(8080, 'alt')] } }
    await ok(apply(swapped))
    const found = await json('service', 'ports')
    expect(found.spec.ports.map((one: { port: number }) => one.port)).toEqual([443, 8080])
    expect(await ok(apply(swapped))).toBe('service/ports unchanged\n')
  })

  it('apply handles custom objects, with defaults written and a removed field gone', async () => {
    expect(await ok(apply(widget({ size: 3, parts: [{ name: 'a', count: 1 }] })))).toMatch(/created/)
    expect(await ok(apply(widget({ size: 3, parts: [{ name: 'a', count: 1 }] })))).toMatch(/unchanged/)
    expect((await json('wd', 'one')).spec).toEqual({ size: 3, color: 'red', parts: [{ name: 'a', count: 1 }] })
    expect(await ok(apply(widget({ size: 4 })))).toMatch(/configured/)
    expect((await json('wd', 'one')).spec).toEqual({ size: 4, color: 'red' })
  })

  it('apply refuses an unknown field and a value that the schema forbids, and changes nothing', async () => {
    const before = (await json('wd', 'one')).metadata.resourceVersion
    expect(await fails(apply(widget({ size: 4, sise: 1 })))).toContain(
      'strict decoding error: unknown field "spec.sise"',
    )
    expect(await fails(apply(widget({ size: 0 })))).toContain(
      'The Widget "one" is invalid: spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1',
    )
    expect(await fails(apply(widget({ size: 4, color: 'green' })))).toContain('supported values: "red", "blue"')
    expect(await fails(apply(widget({})))).toContain('spec.size: Required value')
    expect((await json('wd', 'one')).metadata.resourceVersion).toBe(before)
    const misspelled = { ...pod, metadata: { name: 'bad' }, spec: { ...pod.spec, restartPolicie: 'Never' } }
    expect(await fails(apply(misspelled))).toContain('strict decoding error: unknown field "spec.restartPolicie"')
    expect(await fails(kubectl('get', 'pod', 'bad'))).toContain('pods "bad" not found')
  })

  it('server-side apply creates, changes nothing the second time and removes what is no longer said', async () => {
    const object = { ...configMap, metadata: { name: 'served' }, data: { a: '1', b: '2' } }
    expect(await ok(applyOnServer(object))).toBe('configmap/served serverside-applied\n')
    const before = (await json('cm', 'served')).metadata.resourceVersion
    await ok(applyOnServer(object))
    expect((await json('cm', 'served')).metadata.resourceVersion).toBe(before)
    await ok(applyOnServer({ ...object, data: { a: '1' } }))
    expect((await json('cm', 'served')).data).toEqual({ a: '1' })
  })

  it('server-side apply refuses to change what another manager owns, names the field, and obeys --force-conflicts', async () => {
    const object = (color: string) => ({ ...configMap, metadata: { name: 'contested' }, data: { color } })
    await ok(applyOnServer(object('red'), '--field-manager=first'))
    const refusal = await fails(applyOnServer(object('blue'), '--field-manager=second'))
    expect(refusal).toContain('Apply failed with 1 conflict: conflict with "first" using v1: .data.color')
    expect((await json('cm', 'contested')).data.color).toBe('red')
    await ok(applyOnServer(object('blue'), '--field-manager=second', '--force-conflicts'))
    const found = await json('cm', 'contested', '--show-managed-fields')
    expect(found.data.color).toBe('blue')
    expect(found.metadata.managedFields).toMatchObject([
      { manager: 'second', operation: 'Apply', fieldsV1: { 'f:data': { 'f:color': {} } } },
    ])
  })

  it('server-side apply lets two managers own different items of one keyed list', async () => {
    const parts = (...list: object[]) => ({ ...widget({ size: 1, parts: list }), metadata: { name: 'shared' } })
    await ok(applyOnServer(parts({ name: 'a', count: 1 }), '--field-manager=first'))
    await ok(applyOnServer(parts({ name: 'b', count: 2 }), '--field-manager=second'))
    expect((await json('wd', 'shared')).spec.parts).toHaveLength(2)
    await ok(applyOnServer(parts(), '--field-manager=first'))
    expect((await json('wd', 'shared')).spec.parts).toEqual([{ name: 'b', count: 2 }])
  })

  it('server-side apply takes an object over from client-side apply without a conflict', async () => {
    const object = { ...configMap, metadata: { name: 'migrated' }, data: { a: '1', b: '2' } }
    await ok(apply(object))
    await ok(applyOnServer(object))
    await ok(applyOnServer({ ...object, data: { a: '3' } }))
    const found = await json('cm', 'migrated', '--show-managed-fields')
    expect(found.data).toEqual({ a: '3' })
    const managers = found.metadata.managedFields.map((entry: { manager: string }) => entry.manager)
    expect(managers).not.toContain('kubectl-client-side-apply')
  })

  it('get prints tables, wide tables, YAML, JSON, names and paths, by short name, label and across namespaces', async () => {
    expect(await ok(kubectl('get', 'po'))).toMatch(
      /^NAME +READY +STATUS +RESTARTS +AGE\nweb +0\/1 +Pending +0 +\d+s\n$/,
    )
    expect(await ok(kubectl('get', 'po', '-o', 'wide'))).toMatch(/AGE +IP +NODE +NOMINATED NODE +READINESS GATES\n/)
    expect(await ok(kubectl('get', 'no', '-o', 'wide'))).toMatch(
      /work01 +Ready +worker +\d+s +192\.168\.122\.101 +<none>/,
    )
    expect(await ok(kubectl('get', 'wd', 'one', '-o', 'wide'))).toMatch(/^NAME +SIZE +COLOR\none +4 +red\n$/)
    expect(await ok(kubectl('get', 'svc', 'kubernetes', '-o', 'yaml'))).toContain('clusterIP: 10.96.0.1\n')
    expect(await ok(kubectl('get', 'po', '-o', 'name'))).toBe('pod/web\n')
    expect(await ok(kubectl('get', 'po', '-A', '-l', 'app in (web),!gone', '-o', 'name'))).toBe('pod/web\n')
    expect(await ok(kubectl('get', 'po', '-l', 'app!=web'))).toBe('')
    expect(await ok(kubectl('get', 'po', '--field-selector', 'status.phase=Running'))).toBe('')
    const path = 'jsonpath={.items[*].spec.containers[0].image}'
    expect(await ok(kubectl('get', 'po', '-o', path))).toBe('nginx:1.27')
    expect(await ok(kubectl('get', 'ns', '--chunk-size=2', '-o', 'name'))).toBe(
      'namespace/default\nnamespace/kube-node-lease\nnamespace/kube-public\nnamespace/kube-system\n',
    )
    expect(await fails(kubectl('get', 'pod', 'nope'))).toBe('Error from server (NotFound): pods "nope" not found\n')
    expect(await fails(kubectl('get', 'gadgets'))).toContain('doesn\'t have a resource type "gadgets"')
  })

  it('get -w shows what is there and then every change', async () => {
    const name = 'watched'
    await ok(apply({ ...configMap, metadata: { name } }))
    const watching = kubectl.start(
      'get',
      'cm',
      '-w',
      '--output-watch-events',
      '--field-selector',
      `metadata.name=${name}`,
    )
    await watching.until((output) => /^ADDED +watched +1 /m.test(output))
    await ok(kubectl('patch', 'cm', name, '-p', '{"data":{"size":"big"}}'))
    await watching.until((output) => /^MODIFIED +watched +2 /m.test(output))
    await ok(kubectl('delete', 'cm', name))
    const output = await watching.until((text) => /^DELETED +watched/m.test(text))
    expect(output.match(/^EVENT +NAME +DATA +AGE$/gm)).toHaveLength(1)
    watching.stop()
  })

  it('label and annotate add, refuse to overwrite unasked, and remove', async () => {
    expect(await ok(kubectl('label', 'pod', 'web', 'zone=a'))).toBe('pod/web labeled\n')
    expect(await fails(kubectl('label', 'pod', 'web', 'zone=b'))).toContain('already has a value (a)')
    expect(await ok(kubectl('label', 'pod', 'web', 'zone=b', '--overwrite'))).toBe('pod/web labeled\n')
    expect(await ok(kubectl('annotate', 'pod', 'web', 'note=hello there'))).toBe('pod/web annotated\n')
    expect((await json('pod', 'web')).metadata.annotations.note).toBe('hello there')
    expect(await ok(kubectl('label', 'pod', 'web', 'zone-'))).toBe('pod/web unlabeled\n')
    expect(await fails(kubectl('label', 'pod', 'web', 'zone=not valid'))).toContain('a valid label must be')
  })

  it('patch knows the strategic, merge and JSON kinds and refuses what does not apply', async () => {
    const strategic = { spec: { containers: [{ name: 'main', image: 'nginx:1.28' }] } }
    expect(await ok(kubectl('patch', 'pod', 'web', '-p', JSON.stringify(strategic)))).toBe('pod/web patched\n')
    expect((await json('pod', 'web')).spec.containers[0]).toMatchObject({ image: 'nginx:1.28', ports: [{}] })
    await ok(kubectl('patch', 'wd', 'one', '--type=merge', '-p', '{"spec":{"color":"blue"}}'))
    await ok(kubectl('patch', 'wd', 'one', '--type=json', '-p', '[{"op":"replace","path":"/spec/size","value":9}]'))
    expect((await json('wd', 'one')).spec).toEqual({ size: 9, color: 'blue' })
    await ok(kubectl('patch', 'wd', 'one', '--subresource=status', '--type=merge', '-p', '{"status":{"ready":true}}'))
    const found = await json('wd', 'one')
    expect([found.status.ready, found.metadata.generation > 1]).toEqual([true, true])
    expect(await fails(kubectl('patch', 'wd', 'one', '-p', '{"spec":{"size":1}}'))).toContain('not supported')
    const wrong = '[{"op":"test","path":"/spec/size","value":1}]'
    expect(await fails(kubectl('patch', 'wd', 'one', '--type=json', '-p', wrong))).toContain('Test operation failed')
    const immutable = '{"spec":{"hostNetwork":true}}'
    expect(await fails(kubectl('patch', 'pod', 'web', '-p', immutable))).toContain('pod updates may not change fields')
  })

  it('delete --wait waits for the last finalizer, and wait --for=delete sees it go', async () => {
    const object = { ...configMap, metadata: { name: 'kept', finalizers: ['example.com/keep'] } }
    await ok(apply(object))
    const deleting = kubectl('delete', 'cm', 'kept', '--wait', '--timeout=20s')
    await ok(kubectl('wait', '--for=jsonpath={.metadata.deletionTimestamp}', 'cm/kept', '--timeout=10s'))
    const gone = kubectl('wait', '--for=delete', 'cm/kept', '--timeout=20s')
    await ok(kubectl('patch', 'cm', 'kept', '--type=json', '-p', '[{"op":"remove","path":"/metadata/finalizers"}]'))
    expect(await ok(deleting)).toBe('configmap "kept" deleted\n')
    await ok(gone)
    expect(await fails(kubectl('delete', 'cm', 'kept'))).toContain('configmaps "kept" not found')
    expect(await ok(kubectl('delete', 'cm', 'kept', '--ignore-not-found'))).toBe('')
  })

  it('wait returns when a condition or a path comes true and says so when it does not', async () => {
    const status = { status: { conditions: [{ type: 'Ready', status: 'True' }], phase: 'Running' } }
    const waiting = kubectl('wait', '--for=condition=Ready', 'pod/web', '--timeout=20s')
    await ok(kubectl('patch', 'pod', 'web', '--subresource=status', '-p', JSON.stringify(status)))
    expect(await ok(waiting)).toBe('pod/web condition met\n')
    await ok(kubectl('wait', '--for=jsonpath={.status.phase}=Running', 'pod/web', '--timeout=10s'))
    expect(await fails(kubectl('wait', '--for=condition=Gone', 'pod/web', '--timeout=1s'))).toContain('timed out')
  })

  it('describe shows an object with its events', async () => {
    const uid = (await json('pod', 'web')).metadata.uid
    const about = { apiVersion: 'v1', kind: 'Pod', name: 'web', namespace: 'default', uid }
    const event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { generateName: 'web-' },
      involvedObject: about,
      reason: 'Tested',
      message: 'the test was here',
      type: 'Normal',
      source: { component: 'test' },
      firstTimestamp: '2026-01-01T00:00:00Z',
      lastTimestamp: '2026-01-01T00:00:00Z',
      count: 1,
    }
    await ok(kubectl.withInput(event, 'create', '-f', '-'))
    const text = await ok(kubectl('describe', 'pod', 'web'))
    expect(text).toMatch(/Image: +nginx:1\.28/)
    expect(text).toMatch(/Normal +Tested +.* test +the test was here/)
    expect(await ok(kubectl('get', 'events'))).toMatch(/Normal +Tested +pod\/web +the test was here/)
    expect(await ok(kubectl('describe', 'wd', 'one'))).toMatch(/Color: +blue/)
    expect(await ok(kubectl('describe', 'node', 'work01'))).toMatch(/InternalIP: +192\.168\.122\.101/)
  })

  it('api-resources, api-versions and explain tell what is served, custom kinds with it', async () => {
    const resources = await ok(kubectl('api-resources'))
    expect(resources).toMatch(/^pods +po +v1 +true +Pod$/m)
    expect(resources).toMatch(/^widgets +wd +example\.com\/v1 +true +Widget$/m)
    expect(resources).not.toContain('deployments')
    expect(await ok(kubectl('api-versions'))).toContain('discovery.k8s.io/v1\nexample.com/v1\nv1\n')
    expect(await ok(kubectl('explain', 'pod.spec.containers'))).toMatch(/List of containers belonging to the pod/)
    expect(await ok(kubectl('explain', 'widget.spec.size'))).toContain('How big it is.')
    expect(await fails(kubectl('explain', 'pod.spec.nope'))).toContain('field "nope" does not exist')
  })

  it('create makes namespaces and config maps and refuses what exists, has no namespace or a bad name', async () => {
    expect(await ok(kubectl('create', 'ns', 'made'))).toBe('namespace/made created\n')
    expect(await ok(kubectl('create', 'cm', 'made', '-n', 'made', '--from-literal=a=b'))).toMatch(/created/)
    expect((await json('cm', 'made', '-n', 'made')).data).toEqual({ a: 'b' })
    expect(await fails(kubectl('create', 'ns', 'made'))).toContain('(AlreadyExists): namespaces "made" already exists')
    expect(await fails(kubectl('create', 'cm', 'x', '-n', 'nope'))).toContain('namespaces "nope" not found')
    expect(await fails(kubectl('create', 'cm', 'Bad_Name'))).toContain('a lowercase RFC 1123 subdomain must consist of')
    expect(await ok(kubectl('delete', 'ns', 'made'))).toContain('namespace "made" deleted')
    expect(await fails(kubectl('get', 'cm', 'made', '-n', 'made'))).toContain('not found')
  })

  it('replace puts a whole object and refuses one that was read before the last change', async () => {
    const stale = await json('cm', 'settings')
    await ok(kubectl('annotate', 'cm', 'settings', 'changed=yes'))
    expect(await fails(kubectl.withInput({ ...stale, data: { color: 'x' } }, 'replace', '-f', '-'))).toContain(
      'the object has been modified; please apply your changes to the latest version and try again',
    )
    const fresh = await json('cm', 'settings')
    expect(await ok(kubectl.withInput({ ...fresh, data: { color: 'x' } }, 'replace', '-f', '-'))).toMatch(/replaced/)
    expect((await json('cm', 'settings')).data).toEqual({ color: 'x' })
  })

  it('diff shows what apply would change, and changes nothing', async () => {
    await ok(apply({ ...configMap, metadata: { name: 'compared' } }))
    const same = await kubectl.withInput({ ...configMap, metadata: { name: 'compared' } }, 'diff', '-f', '-')
    expect([same.code, same.stdout]).toEqual([0, ''])
    const other = { ...configMap, metadata: { name: 'compared' }, data: { color: 'green' } }
    const changed = await kubectl.withInput(other, 'diff', '-f', '-')
    expect(changed.code).toBe(1)
    expect(changed.stdout).toMatch(/^- +color: red\n\+ +color: green$/m)
    expect((await json('cm', 'compared')).data.color).toBe('red')
  })

  it('edit stores what the editor wrote and refuses what is invalid', async () => {
    const withEditor = (script: string, ...args: string[]) =>
      kubectl.withEnv({ EDITOR: `sed -i ${script}` }, 'edit', ...args)
    expect(await ok(withEditor('s/size:.9/size:\\ 11/', 'wd', 'one'))).toMatch(/edited/)
    expect((await json('wd', 'one')).spec.size).toBe(11)
    const refused = await withEditor('s/size:.11/size:\\ 0/', 'wd', 'one')
    expect(refused.stdout + refused.stderr).toContain('is invalid')
    expect((await json('wd', 'one')).spec.size).toBe(11)
  })

  it('--dry-run=server answers as the real thing would and stores nothing', async () => {
    const object = { ...service, metadata: { name: 'tried' } }
    const text = await ok(apply(object, '--dry-run=server', '-o', 'json'))
    expect(JSON.parse(text).spec.clusterIP).toMatch(/^10\.96\./)
    expect(await fails(kubectl('get', 'svc', 'tried'))).toContain('not found')
  })

  it('get --raw, auth can-i and auth whoami answer', async () => {
    expect(JSON.parse(await ok(kubectl('get', '--raw', '/version'))).gitVersion).toMatch(/^v1\.32\./)
    expect(await fails(kubectl('get', '--raw', '/api/v1/nope'))).toContain('could not find the requested resource')
    expect(await ok(kubectl('auth', 'can-i', 'create', 'pods'))).toBe('yes\n')
    expect(await ok(kubectl('auth', 'whoami'))).toMatch(/Username +admin/)
  })

  it('a service gets an address of its own, keeps it, and a taken or foreign one is refused', async () => {
    const address = (await json('svc', 'web')).spec.clusterIP
    expect(address).toMatch(/^10\.96\.\d+\.\d+$/)
    const asking = (clusterIP: string) => ({
      ...service,
      metadata: { name: 'asking' },
      spec: { ...service.spec, clusterIP },
    })
    expect(await fails(apply(asking(address)))).toContain('provided IP is already allocated')
    expect(await fails(apply(asking('192.0.2.1')))).toContain('is not in the valid range')
    await ok(apply(asking('None')))
    const nodePort = { ...service, spec: { ...service.spec, type: 'NodePort' } }
    await ok(apply(nodePort))
    const found = await json('svc', 'web')
    expect(found.spec.clusterIP).toBe(address)
    expect(found.spec.ports[0].nodePort).toBeGreaterThanOrEqual(30_000)
  })

  it('a pod on a node is only marked by delete, and gone when its grace period is cut to nothing', async () => {
    const bound = { ...pod, metadata: { name: 'bound' }, spec: { ...pod.spec, nodeName: 'work01' } }
    await ok(apply(bound))
    await ok(kubectl('delete', 'pod', 'bound', '--wait=false'))
    expect(await ok(kubectl('get', 'pod', 'bound'))).toMatch(/Terminating/)
    await ok(kubectl('delete', 'pod', 'bound', '--grace-period=0', '--force'))
    expect(await fails(kubectl('get', 'pod', 'bound'))).toContain('not found')
    expect(await ok(kubectl('delete', 'pod', 'web'))).toBe('pod "web" deleted\n')
  })

  it('deleting a definition takes its objects along', async () => {
    expect(await ok(kubectl('delete', 'crd', 'widgets.example.com'))).toContain('deleted')
    const gone = await kubectl('get', '--raw', '/apis/example.com/v1/widgets')
    expect(gone.stderr).toContain('could not find the requested resource')
    await ok(kubectl.withInput(widgets, 'apply', '-f', '-'))
    expect(JSON.parse(await ok(kubectl('get', '--raw', '/apis/example.com/v1/widgets'))).items).toEqual([])
  })
})

function port(number: number, name: string): object {
  return { port: number, name }
}

async function ok(running: Promise<ExecResult>): Promise<string> {
  const { code, stdout, stderr } = await running
  if (code !== 0) throw new Error(`kubectl failed with ${code}: ${stdout}${stderr}`)
  return stdout
}

async function fails(running: Promise<ExecResult>): Promise<string> {
  const { code, stdout, stderr } = await running
  if (code === 0) throw new Error(`kubectl did not fail: ${stdout}`)
  return stderr
}
