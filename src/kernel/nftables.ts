import koffi, { type LibraryHandle } from 'koffi'
import { KernelError } from './errors.ts'
import { NO_LIBRARY, nftError } from './nft-command.ts'

const OUTPUT_JSON = 1 << 4

interface Nftables {
  create(flags: number): unknown
  free(context: unknown): void
  bufferOutput(context: unknown): number
  bufferErrors(context: unknown): number
  setOutputFlags(context: unknown, flags: number): void
  run(context: unknown, commands: string): number
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
    const isOk = nft.run(context, `${commands}\n`) === 0
    if (!isOk) throw nftError(commands, nft.errors(context) ?? '')
    return nft.output(context) ?? ''
  } finally {
    nft.free(context)
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
    run: declare('int nft_run_cmd_from_buffer(void *context, const char *commands)'),
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
