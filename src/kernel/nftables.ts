import { closeSync, writeSync } from 'node:fs'
import koffi, { type LibraryHandle } from 'koffi'
import { KernelError } from './errors.ts'
import { check, libc } from './libc.ts'
import { NO_LIBRARY, nftError } from './nft-command.ts'

const OUTPUT_JSON = 1 << 4
const MFD_CLOEXEC = 1

interface Nftables {
  create(flags: number): unknown
  free(context: unknown): void
  bufferOutput(context: unknown): number
  bufferErrors(context: unknown): number
  setOutputFlags(context: unknown, flags: number): void
  runFile(context: unknown, path: string): number
  output(context: unknown): string | null
  errors(context: unknown): string | null
}

let loaded: Nftables | undefined

/**
 * Runs nft commands as one transaction in the thread's namespace and returns what they print. The context lives for
 * one call: it holds a socket of the namespace, and a cache that would be stale the next time.
 */
export function runNftables(commands: string, options: { isJson: boolean }): string {
  loaded ??= load()
  const nft = loaded
  const context = nft.create(0)
  if (context === null) throw new KernelError('nft', 'ENOMEM')
  try {
    nft.bufferOutput(context)
    nft.bufferErrors(context)
    if (options.isJson) nft.setOutputFlags(context, OUTPUT_JSON)
    if (!runAll(nft, context, commands)) throw nftError(commands, nft.errors(context) ?? '')
    return nft.output(context) ?? ''
  } finally {
    nft.free(context)
  }
}

/** From a file in memory: of commands in a buffer nft does not say in which line the error is. */
function runAll(nft: Nftables, context: unknown, commands: string): boolean {
  const file = check('memfd_create', libc().memfd_create('nft', MFD_CLOEXEC))
  try {
    writeSync(file, `${commands}\n`)
    return nft.runFile(context, `/proc/self/fd/${file}`) === 0
  } finally {
    closeSync(file)
  }
}

function load(): Nftables {
  const library = loadLibrary()
  const declare = (definition: string): unknown => library.func(definition)
  return {
    create: declare('void *nft_ctx_new(uint32_t flags)'),
    free: declare('void nft_ctx_free(void *context)'),
    bufferOutput: declare('int nft_ctx_buffer_output(void *context)'),
    bufferErrors: declare('int nft_ctx_buffer_error(void *context)'),
    setOutputFlags: declare('void nft_ctx_output_set_flags(void *context, unsigned int flags)'),
    runFile: declare('int nft_run_cmd_from_filename(void *context, const char *path)'),
    output: declare('const char *nft_ctx_get_output_buffer(void *context)'),
    errors: declare('const char *nft_ctx_get_error_buffer(void *context)'),
  } as Nftables
}

function loadLibrary(): LibraryHandle {
  try {
    return koffi.load('libnftables.so.1')
  } catch (error) {
    throw new KernelError('load libnftables.so.1', NO_LIBRARY, '', {
      fix: 'Install libnftables1.',
      cause: error,
    })
  }
}
