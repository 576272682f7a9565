/*
 * The CNI executable. It hands its environment and standard input to the agent's unix socket and prints the answer.
 * In C because a container runtime starts it for every pod: half a millisecond, where a script costs fifty.
 *
 * Request:  "cni1", the length of what follows (4 bytes, the highest first), then
 *           <name it was executed under>\0 <CNI_X=value>\0 ... \0 <standard input>.
 *           The connection stays open: when it ends before the answer, the agent knows that nobody waits any more.
 * Answer:   one byte exit code, then the JSON for standard output (may be empty), then close.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/run/twinlane/cni.sock"
#define NEWEST_VERSION "1.1.0"
#define INPUT_LIMIT (4u << 20)
#define ANSWER_TIMEOUT_SECONDS 220 /* the kubelet gives up after 240 */

enum { CODE_IO = 5, CODE_DECODING = 6, CODE_TRY_AGAIN = 11 };

extern char **environ;

static char input[INPUT_LIMIT + 1];
static size_t input_size;

static int write_all(int fd, const char *data, size_t size) {
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return -1;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

/* Value of the top-level key "cniVersion"; a nested one, such as a delegate's, does not count. */
static const char *cni_version(void) {
    static char version[16];
    const char *key = "\"cniVersion\"";
    int depth = 0;
    for (size_t i = 0; i < input_size; i++) {
        char c = input[i];
        if (c == '{' || c == '[') depth++;
        if (c == '}' || c == ']') depth--;
        if (c != '"') continue;
        int is_key = depth == 1 && strncmp(input + i, key, strlen(key)) == 0;
        for (i++; i < input_size && input[i] != '"'; i++)
            if (input[i] == '\\') i++;
        if (!is_key) continue;
        size_t start = i + 1 + strspn(input + i + 1, " \t\r\n");
        if (input[start] != ':') continue;
        start += 1 + strspn(input + start + 1, " \t\r\n");
        size_t length = strspn(input + start + 1, "0123456789.");
        if (input[start] != '"' || length == 0 || length >= sizeof version) break;
        memcpy(version, input + start + 1, length);
        return version;
    }
    return NEWEST_VERSION;
}

/* Prints a CNI error object and ends with exit code 1: a failure must never look like success, on DEL neither. */
static void fail(int code, const char *format, ...) {
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    for (char *c = message; *c != '\0'; c++)
        if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ') *c = '?';
    printf("{\"cniVersion\":\"%s\",\"code\":%d,\"msg\":\"%s\"}\n", cni_version(), code, message);
    exit(1);
}

static void read_input(void) {
    for (;;) {
        ssize_t n = read(0, input + input_size, sizeof input - 1 - input_size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail(CODE_IO, "cannot read the configuration on standard input: %s", strerror(errno));
        if (n == 0) return;
        input_size += (size_t)n;
        if (input_size >= INPUT_LIMIT) fail(CODE_DECODING, "the configuration on standard input has more than 4 MiB");
    }
}

static int connect_agent(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_SECONDS};
    if (strlen(path) >= sizeof address.sun_path) fail(CODE_IO, "the socket path %s is too long", path);
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) fail(CODE_IO, "cannot make a socket: %s", strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    while (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        if (errno == EINTR) continue;
        fail(CODE_TRY_AGAIN, "cannot reach the twinlane agent at %s: %s. Start the agent on this node (or look at its log), then it will be tried again.",
             path, strerror(errno));
    }
    return fd;
}

/* MSG_NOSIGNAL: an agent that refuses early closes its end; its answer is still worth reading. */
static void send_all(int fd, const char *data, size_t size) {
    while (size > 0) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return;
        data += n;
        size -= (size_t)n;
    }
}

static int is_sent(const char *variable) {
    return strncmp(variable, "CNI_", 4) == 0;
}

static void send_header(int fd, size_t length) {
    unsigned char header[8] = {'c', 'n', 'i', '1', (unsigned char)(length >> 24), (unsigned char)(length >> 16),
                               (unsigned char)(length >> 8), (unsigned char)length};
    send_all(fd, (const char *)header, sizeof header);
}

static void send_request(int fd, const char *name) {
    size_t length = strlen(name) + 1 + 1 + input_size;
    for (char **entry = environ; *entry != NULL; entry++)
        if (is_sent(*entry)) length += strlen(*entry) + 1;
    send_header(fd, length);
    send_all(fd, name, strlen(name) + 1);
    for (char **entry = environ; *entry != NULL; entry++)
        if (is_sent(*entry)) send_all(fd, *entry, strlen(*entry) + 1);
    send_all(fd, "", 1);
    send_all(fd, input, input_size);
}

static ssize_t receive(int fd, char *buffer, size_t size) {
    ssize_t n;
    do n = recv(fd, buffer, size, 0);
    while (n < 0 && errno == EINTR);
    return n;
}

static int print_answer(int fd, const char *path) {
    char buffer[65536], code;
    ssize_t n = receive(fd, &code, 1);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        fail(CODE_TRY_AGAIN, "the twinlane agent at %s did not answer within %d s. Look at its log.", path, ANSWER_TIMEOUT_SECONDS);
    if (n != 1) fail(CODE_TRY_AGAIN, "the twinlane agent at %s ended before it answered. Look at its log.", path);
    while ((n = receive(fd, buffer, sizeof buffer)) > 0)
        if (write_all(1, buffer, (size_t)n) != 0) return 1;
    return n == 0 ? (unsigned char)code : 1;
}

int main(int argc, char **argv) {
    const char *command = getenv("CNI_COMMAND");
    const char *path = getenv("TWINLANE_SOCKET");
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *name = slash != NULL ? slash + 1 : argc > 0 ? argv[0] : "twinlane";
    if (path == NULL || *path == '\0') path = DEFAULT_SOCKET;
    if (command == NULL || *command == '\0') {
        fprintf(stderr, "%s: CNI plugin of Twinlane. A container runtime executes it; it asks the agent at %s.\n"
                        "CNI protocol versions supported: 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0\n", name, path);
        return 0;
    }
    read_input();
    if (strcmp(command, "VERSION") == 0) {
        printf("{\"cniVersion\":\"%s\",\"supportedVersions\":[\"0.1.0\",\"0.2.0\",\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]}\n",
               cni_version());
        return 0;
    }
    int fd = connect_agent(path);
    send_request(fd, name);
    return print_answer(fd, path);
}
