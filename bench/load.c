/* A load generator for MCP tools/call (2026-07-28) that checks every answer: status 200, its own text back, no error.
 *
 *   load -u http://127.0.0.1:PORT/PATH -c CONNECTIONS -d SECONDS [-w WARM_UP] [-t TOKEN] [-P 2026-07-28]
 *
 * One thread, epoll, one call outstanding on each connection. Prints one JSON object; exit 1 when an answer was wrong.
 * Build: cc -O2 -o load load.c */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ROOM 65536

struct conn { int fd, id; unsigned long long seq; uint64_t start; size_t n; char text[64], in[ROOM]; };

static char path[512], host[128];
static const char *token = "";
static struct sockaddr_in to;
static double *took;
static size_t n_took, room_took, calls, ok, bad_status, bad_body, bad_io;

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void call(struct conn *c)
{
    static const char meta[] = "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
        "\"io.modelcontextprotocol/clientInfo\":{\"name\":\"load\",\"version\":\"1\"},"
        "\"io.modelcontextprotocol/clientCapabilities\":{}}";
    char body[1024], out[4096];
    snprintf(c->text, sizeof c->text, "m%d.%llu.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", c->id, ++c->seq);
    int b = snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\","
                     "\"arguments\":{\"text\":\"%s\"},%s}}", c->seq, c->text, meta);
    int n = snprintf(out, sizeof out, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
                     "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n"
                     "Mcp-Method: tools/call\r\nMcp-Name: echo\r\n%s%s%sContent-Length: %d\r\n\r\n%s",
                     path, host, *token ? "Authorization: Bearer " : "", token, *token ? "\r\n" : "", b, body);
    c->start = now();
    calls++;
    if (send(c->fd, out, (size_t)n, MSG_NOSIGNAL) != n) bad_io++; /* a small request on an idle connection fits */
}

/* 1 when a whole answer was there (and is taken off the buffer), 0 when not yet, -1 when it is no HTTP. */
static int take(struct conn *c)
{
    char *end = memmem(c->in, c->n, "\r\n\r\n", 4);
    if (!end) return c->n < ROOM ? 0 : -1;
    if (memcmp(c->in, "HTTP/1.1 ", 9)) return -1;
    size_t head = (size_t)(end + 4 - c->in), length = 0, used;
    int status = atoi(c->in + 9), chunked = 0;
    for (char *line = c->in; line < end; line = (char *)memmem(line, (size_t)(end + 2 - line), "\r\n", 2) + 2) {
        if (!strncasecmp(line, "content-length:", 15)) length = strtoul(line + 15, NULL, 10);
        if (!strncasecmp(line, "transfer-encoding:", 18)) chunked = 1;
    }
    if (chunked) {
        char *last = memmem(c->in + head, c->n - head, "\r\n0\r\n\r\n", 7);
        if (!last) return 0;
        used = (size_t)(last + 7 - c->in);
    } else if (c->n < head + length) return c->n < ROOM ? 0 : -1;
    else used = head + length;
    if (status != 200) { if (!bad_status++) fprintf(stderr, "load: %.*s\n", (int)used, c->in); }
    else if (!memmem(c->in + head, used - head, c->text, strlen(c->text)) || memmem(c->in, used, "\"isError\":true", 14)
             || memmem(c->in, used, "\"error\":", 8)) {
        if (!bad_body++) fprintf(stderr, "load: %.*s\n", (int)used, c->in);
    } else ok++;
    memmove(c->in, c->in + used, c->n -= used);
    return 1;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double pct(double p) { return n_took ? took[(size_t)(p * (double)(n_took - 1))] : 0; }

int main(int argc, char **argv)
{
    int conns = 1, port = 80;
    double secs = 1, warm = 0;
    for (int o; (o = getopt(argc, argv, "u:c:d:w:t:P:")) != -1;) {
        if (o == 'u' && sscanf(optarg, "http://%127[^/]%511s", host, path) != 2) return 2;
        if (o == 'c') conns = atoi(optarg);
        if (o == 'd') secs = atof(optarg);
        if (o == 'w') warm = atof(optarg);
        if (o == 't') token = optarg;
        if (o == '?') return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    char ip[128];
    if (sscanf(host, "%127[^:]:%d", ip, &port) < 1) return 2;
    to.sin_family = AF_INET;
    to.sin_port = htons((unsigned short)port);
    if (!inet_aton(ip, &to.sin_addr)) { fprintf(stderr, "load: the host must be an IPv4 address\n"); return 2; }
    int ep = epoll_create1(0), one = 1;
    for (int i = 0; i < conns; i++) {
        struct conn *c = calloc(1, sizeof *c);
        c->id = i;
        c->fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(c->fd, (struct sockaddr *)&to, sizeof to)) { perror("load: connect"); return 1; }
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        fcntl(c->fd, F_SETFL, O_NONBLOCK);
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev);
        call(c);
    }
    uint64_t begin = now() + (uint64_t)(warm * 1e9), stop = begin + (uint64_t)(secs * 1e9), t = begin;
    size_t before = 0;
    int counting = 0, open = conns;
    struct epoll_event got[256];
    while (open && (t = now()) < stop) {
        if (!counting && t >= begin) { counting = 1; before = ok; }
        int k = epoll_wait(ep, got, 256, 100);
        for (int i = 0; i < k; i++) {
            struct conn *c = got[i].data.ptr;
            ssize_t n = recv(c->fd, c->in + c->n, ROOM - c->n, 0);
            if (n < 0 && errno == EAGAIN) continue;
            if (n > 0) c->n += (size_t)n;
            int done = n <= 0 ? -1 : take(c);
            if (done < 0) { bad_io++; open--; close(c->fd); continue; }
            if (!done) continue;
            if (counting) {
                if (n_took == room_took) took = realloc(took, sizeof *took * (room_took = room_took ? room_took * 2 : 65536));
                took[n_took++] = (double)(now() - c->start) / 1000;
            }
            call(c);
        }
    }
    qsort(took, n_took, sizeof *took, by_size);
    double span = (double)(t - begin) / 1e9;
    printf("{\"conns\":%d,\"calls\":%zu,\"ok\":%zu,\"rps\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"bad_status\":%zu,"
           "\"bad_body\":%zu,\"bad_io\":%zu}\n", conns, calls, ok, (double)(ok - before) / span, pct(.5), pct(.99),
           bad_status, bad_body, bad_io);
    return bad_status || bad_body || bad_io || !ok;
}
