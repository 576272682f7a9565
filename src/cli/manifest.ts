import { readdir, readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { text as readStream } from 'node:stream/consumers'
import { type Document, isMap, isNode, isSeq, type LineCounter } from 'yaml'
import { ConfigError, errorCode, TwinlaneError } from '../base/errors.ts'
import { isObject } from '../kube/patch.ts'
import type { Position } from '../kube/resources/commented-json.ts'
import type { KubeObject } from '../kube/resources/meta.ts'
import { type CliIo, note } from './io.ts'
import { locateInYaml } from './locate-in-yaml.ts'
import { parseYaml } from './yaml.ts'

/** One object of a file, with the way back to the line that a field stands on. */
export interface ManifestObject {
  readonly object: KubeObject
  /** `bgpconfig.yaml` */
  readonly file: string
  /** `bgpconfig.yaml, document 2 (BGPConfiguration default)` */
  readonly where: string
  /** Line of a field in the file, counted from 1; that of the nearest parent if the field itself is not there. */
  lineOf(path: readonly (string | number)[]): number | undefined
  /** The place of a field's value in the file, or of a place in the value's text; line 1 if there is no such field. */
  locate(path: readonly (string | number)[], at?: Position): Position
}

/** A field of a document is wrong. The message names file, document, line and field. */
export class ManifestError extends ConfigError {
  constructor(
    manifest: ManifestObject,
    path: readonly (string | number)[],
    problem: string,
    options: { fix?: string; cause?: unknown } = {},
  ) {
    const line = manifest.lineOf(path)
    super(`${manifest.where}${line === undefined ? '' : `, line ${line}`}: ${showPath(path)}`, problem, options)
  }
}

/** `spec.bgp.asNumber`, `spec.addresses[0].address`. */
export function showPath(path: readonly (string | number)[]): string {
  return path.map((key, index) => (typeof key === 'number' ? `[${key}]` : `${index === 0 ? '' : '.'}${key}`)).join('')
}

/** An object that stands in no file, so that it can be judged as those that do. */
export function manifestOf(object: KubeObject, where: string): ManifestObject {
  return {
    object,
    file: where,
    where: `${where} (${object.kind} ${object.metadata.name})`,
    lineOf: () => undefined,
    locate: () => ({ line: 1, column: 1 }),
  }
}

/** Reads files, folders and `-` (standard input) in the order given. Throws TwinlaneError naming file and line. */
export async function readManifests(
  io: Pick<CliIo, 'stdin' | 'stderr' | 'cwd'>,
  names: readonly string[],
  options: { recursive?: boolean; mayBeEmpty?: boolean; mayLackNames?: boolean } = {},
): Promise<ManifestObject[]> {
  const objects: ManifestObject[] = []
  for (const name of names) {
    for (const { file, text, isFromFolder } of await readTexts(io, name, options)) {
      // A folder may hold other YAML too, such as the lab.yaml beside the article's objects.
      if (isFromFolder && isOtherYaml(text)) note(io, `${file}: holds no Kubernetes object, skipped`)
      else objects.push(...parseManifest(text, file, options))
    }
  }
  if (objects.length === 0 && options.mayBeEmpty !== true)
    throw new TwinlaneError(`${names.join(', ')}: holds no object`)
  return objects
}

function isOtherYaml(text: string): boolean {
  const { documents } = parseYaml(text)
  const values = documents.map((document) => (document.errors.length === 0 ? (document.toJS() as unknown) : undefined))
  return values.every((value) => isObject(value) && value.kind === undefined && value.apiVersion === undefined)
}

/** Splits a text of YAML or JSON documents; lists are taken apart. Throws TwinlaneError naming the line. */
export function parseManifest(
  text: string,
  file: string,
  { mayLackNames = false }: { mayLackNames?: boolean } = {},
): ManifestObject[] {
  const { documents, lines } = parseYaml(text)
  return documents.flatMap((document, index) => {
    const name = documents.length === 1 ? file : `${file}, document ${index + 1}`
    const problem = document.errors[0]
    if (problem !== undefined) {
      const { line, col } = lines.linePos(problem.pos[0])
      throw new TwinlaneError(`${name}, line ${line}, column ${col}: ${problem.message.split('\n')[0]}`)
    }
    return objectsOf(document, { file, name, lines, text, mayLackNames })
  })
}

function objectsOf(document: Document, source: Source): ManifestObject[] {
  const value: unknown = document.toJS()
  if (value === null || value === undefined) return []
  // calicoctl's first API wrote several objects as a list without a kind.
  if (Array.isArray(value)) {
    return value.map((item: unknown, index) => manifestObject(document, { value: item, base: [index], ...source }))
  }
  const items = isObject(value) && String(value.kind).endsWith('List') ? value.items : undefined
  if (!Array.isArray(items)) return [manifestObject(document, { value, base: [], ...source })]
  return items.map((item: unknown, index) =>
    manifestObject(document, { value: item, base: ['items', index], ...source }),
  )
}

interface Source {
  file: string
  name: string
  lines: LineCounter
  text: string
  /** Objects of older APIs are known by other fields. */
  mayLackNames: boolean
}

interface Place extends Source {
  value: unknown
  base: (string | number)[]
}

function manifestObject(document: Document, place: Place): ManifestObject {
  const { value, base, file, name, lines, text } = place
  const lineOf = (path: readonly (string | number)[]): number | undefined =>
    findLine(document, [...base, ...path], lines)
  const locate = (path: readonly (string | number)[], at?: Position): Position =>
    locateInYaml(document, { path: [...base, ...path], at, lines, text })
  const object = value as KubeObject
  if (!isObject(value)) throw new TwinlaneError(`${name}: is not an object, but ${JSON.stringify(value)?.slice(0, 40)}`)
  const title = `${object.kind ?? 'no kind'} ${object.metadata?.name ?? ''}`.trim()
  const manifest = { object, file, where: `${name} (${title})`, lineOf, locate }
  if (typeof object.kind !== 'string') throw new ManifestError(manifest, ['kind'], 'is missing')
  if (typeof object.apiVersion !== 'string') throw new ManifestError(manifest, ['apiVersion'], 'is missing')
  const metadata: unknown = object.metadata
  if (place.mayLackNames && isObject(metadata)) return manifest
  if (!isObject(metadata) || (metadata.name === undefined && metadata.generateName === undefined)) {
    const isOfOldApi = isObject(metadata) && ('cidr' in metadata || 'peerIP' in metadata)
    const fix = "this looks like calicoctl's first API: twinlane convert -f FILE writes it as projectcalico.org/v3"
    throw new ManifestError(manifest, ['metadata', 'name'], 'is missing', isOfOldApi ? { fix } : {})
  }
  return manifest
}

/** The line of the key, not of its value: that is what a reader looks for. */
function findLine(document: Document, path: readonly (string | number)[], lines: LineCounter): number | undefined {
  let node: unknown = document.contents
  let offset = isNode(node) ? node.range?.[0] : undefined
  for (const key of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isNode(item.key) && String(item.key) === String(key))
      if (pair === undefined) break
      offset = isNode(pair.key) ? pair.key.range?.[0] : offset
      node = pair.value
    } else if (isSeq(node)) {
      node = node.items[Number(key)]
      if (!isNode(node)) break
      offset = node.range?.[0]
    } else break
  }
  return offset === undefined ? undefined : lines.linePos(offset).line
}

async function readTexts(
  io: Pick<CliIo, 'stdin' | 'cwd'>,
  name: string,
  { recursive = false, mayBeEmpty = false }: { recursive?: boolean; mayBeEmpty?: boolean },
): Promise<{ file: string; text: string; isFromFolder: boolean }[]> {
  if (name === '-') return [{ file: 'standard input', text: await readStream(io.stdin), isFromFolder: false }]
  const path = resolve(io.cwd, name)
  try {
    if (!(await stat(path)).isDirectory()) return [await readOne(name, path, false)]
    const found = await readdir(path, { recursive, encoding: 'utf8' })
    const files = found.filter((file) => /\.(ya?ml|json)$/.test(file)).sort()
    if (files.length === 0 && !mayBeEmpty)
      throw new TwinlaneError(`${name}: the folder holds no .yaml, .yml or .json file`)
    return await Promise.all(files.map((file) => readOne(join(name, file), join(path, file), true)))
  } catch (cause) {
    if (errorCode(cause) !== 'ENOENT') throw cause
    throw new TwinlaneError(`${name}: there is no such file or folder`)
  }
}

async function readOne(
  file: string,
  path: string,
  isFromFolder: boolean,
): Promise<{ file: string; text: string; isFromFolder: boolean }> {
  return { file, text: await readFile(path, 'utf8'), isFromFolder }
}
