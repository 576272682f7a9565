import { TwinlaneError } from '../../base/errors.ts'
import type { CommentedJson, Position } from './commented-json.ts'

/** The annotation cannot be used. The message names line, column and the reason. */
export class NetworkAnnotationError extends TwinlaneError {
  /** Within the annotation; undefined when only several elements together are wrong. */
  readonly position: Position | undefined

  constructor(message: string, options: { fix?: string; cause?: unknown; position?: Position } = {}) {
    super(message, options)
    this.position = options.position
  }
}

/** One element of the JSON list: reads typed values and names the place of a bad one. `null` counts as absent. */
export class SelectionElement {
  readonly #json: CommentedJson
  readonly #object: Record<string, unknown>
  readonly #path: string
  readonly #unknown: string[]

  constructor(json: CommentedJson, value: unknown, path: string, unknown: string[]) {
    this.#json = json
    this.#path = path
    this.#unknown = unknown
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw refuse(json.positionOf(path) ?? path, 'must be an object such as {"name": "net1"}')
    }
    this.#object = value as Record<string, unknown>
  }

  refuse(key: string, problem: string, fix?: string): NetworkAnnotationError {
    const position = this.#json.positionOf(`${this.#path}.${key}`) ?? this.#json.positionOf(this.#path)
    return refuse(position ?? this.#path, problem, fix)
  }

  warnUnknown(known: ReadonlySet<string>): void {
    for (const key of Object.keys(this.#object)) {
      if (known.has(key)) continue
      const line = this.#json.positionOf(`${this.#path}.${key}`)?.line
      this.#unknown.push(`networks annotation has the unknown key "${key}" on line ${line}; it is ignored`)
    }
  }

  text(key: string): string | undefined {
    const value = this.#value(key)
    if (value === undefined || value === '') return undefined
    if (typeof value !== 'string') throw this.refuse(key, `"${key}" must be a string`)
    return value
  }

  requiredName(key: string): string {
    const name = this.name(key)
    if (name === undefined) throw this.refuse(key, `"${key}" is missing`, 'Name the NetworkAttachmentDefinition.')
    return name
  }

  name(key: string): string | undefined {
    const name = this.text(key)
    if (name !== undefined) checkName(this.#place(key), key, name)
    return name
  }

  interfaceName(key: string): string | undefined {
    const name = this.text(key)
    if (name !== undefined) checkInterfaceName(this.#place(key), name)
    return name
  }

  hardwareAddress(key: string, byteCount: number): string | undefined {
    const text = this.text(key)
    if (text === undefined) return undefined
    const canonical = text.replaceAll('-', ':').toLowerCase()
    const bytes = canonical.split(':')
    if (bytes.length !== byteCount || bytes.some((byte) => !/^[0-9a-f]{2}$/.test(byte))) {
      throw this.refuse(key, `"${key}" is "${text}", not ${byteCount} bytes in hexadecimal with ":" between them`)
    }
    return canonical
  }

  list(key: string): readonly unknown[] | undefined {
    const value = this.#value(key)
    if (value !== undefined && !Array.isArray(value)) throw this.refuse(key, `"${key}" must be a list`)
    return value
  }

  strings(key: string, what: string, isValid: (text: string) => boolean): readonly string[] | undefined {
    return this.list(key)?.map((item, index) => {
      if (typeof item === 'string' && isValid(item)) return item
      throw this.refuse(`${key}[${index}]`, `${JSON.stringify(item)} in "${key}" is not ${what}`)
    })
  }

  object(key: string): Record<string, unknown> | undefined {
    const value = this.#value(key)
    if (value === undefined) return undefined
    if (typeof value !== 'object' || Array.isArray(value)) throw this.refuse(key, `"${key}" must be an object`)
    return value as Record<string, unknown>
  }

  numbers(key: string): Record<string, number> | undefined {
    const value = this.object(key)
    for (const [name, number] of Object.entries(value ?? {})) {
      if (typeof number !== 'number') throw this.refuse(`${key}.${name}`, `"${name}" in "${key}" must be a number`)
    }
    return value as Record<string, number> | undefined
  }

  #value(key: string): unknown {
    return this.#object[key] ?? undefined
  }

  #place(key: string): Place {
    return this.#json.positionOf(`${this.#path}.${key}`) ?? this.#path
  }
}

/** A position, or a path when there is none. */
type Place = string | Position

/** Throws NetworkAnnotationError unless the text is a name that Kubernetes allows. */
export function checkName(place: Place, what: string, name: string): void {
  if (/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name) && name.length <= 253) return
  throw refuse(place, `${what} "${name}" is not a Kubernetes name`, 'Use lower-case letters, digits, "-" and ".".')
}

/** Throws NetworkAnnotationError unless Linux and CNI allow the interface name. */
export function checkInterfaceName(place: Place, name: string): void {
  const problem = interfaceNameProblem(name)
  if (problem === undefined) return
  throw refuse(place, `interface name ${JSON.stringify(name)} ${problem}`, 'Choose another name, e.g. "eth1".')
}

function interfaceNameProblem(name: string): string | undefined {
  const length = Buffer.byteLength(name)
  if (name === '') return 'is empty'
  if (length > 15) return `has ${length} bytes; Linux allows 15`
  if (name === '.' || name === '..') return 'is not allowed by Linux'
  if (/[/:\s\p{Cc}]/u.test(name)) return 'has a "/", ":", white space or control character'
  if (name === 'lo') return 'is the loopback interface of every pod'
  return undefined
}

/** The error for something wrong at a place. */
export function refuse(place: Place, problem: string, fix?: string): NetworkAnnotationError {
  const where = typeof place === 'string' ? place : `line ${place.line}, column ${place.column}`
  return new NetworkAnnotationError(`networks annotation, ${where}: ${problem}`, {
    ...(fix === undefined ? {} : { fix }),
    ...(typeof place === 'string' ? {} : { position: place }),
  })
}
