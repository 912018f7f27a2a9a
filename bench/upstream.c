/* A small, fast MCP server, so that it is never the bottleneck. One thread, epoll, HTTP/1.1 keep-alive, 127.0.0.1.
 *
 *   upstream -p PORT [-A PREFIX]     with -A, requests need "Authorization: Bearer PREFIX…"
 *
 * Speaks 2025-era (initialize, notifications, tools/list, tools/call) and 2026-07-28 (server/discover besides), always in
 * JSON. One tool: echo {"text": "…"} answers the text, byte for byte. Build: cc -O2 -o upstream upstream.c */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM (1 << 20)

struct conn { int fd; size_t n; char in[ROOM]; };
struct text { const char *p; size_t n; };

static const char *prefix;

static struct text value_after(struct text body, const char *key)
{
    char *at = memmem(body.p, body.n, key, strlen(key));
    if (!at) return (struct text){0, 0};
    at += strlen(key);
    return (struct text){at, (size_t)(body.p + body.n - at)};
}

static struct text string_after(struct text body, const char *key)
{
    struct text rest = value_after(body, key);
    size_t n = 0;
    while (n < rest.n && rest.p[n] != '"') n += rest.p[n] == '\\' ? 2 : 1;
    return (struct text){rest.p, n < rest.n ? n : 0};
}

static void answer(struct conn *c, const char *status, const char *json, size_t n)
{
    static char out[ROOM + 4096];
    int h = sprintf(out, "HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n", status, n);
    memcpy(out + h, json, n);
    size_t all = (size_t)h + n, sent = 0;
    while (sent < all) {
        ssize_t k = send(c->fd, out + sent, all - sent, MSG_NOSIGNAL);
        if (k < 0 && errno != EAGAIN && errno != EINTR) return;
        if (k > 0) sent += (size_t)k;
    }
}

static void reply(struct conn *c, struct text body)
{
    static char out[ROOM + 4096];
    struct text id = value_after(body, "\"id\":"), method = string_after(body, "\"method\":\"");
    size_t id_len = 0;
    while (id_len < id.n && id.p[id_len] != ',' && id.p[id_len] != '}') id_len++;
    if (!id.p) { answer(c, "202 Accepted", "", 0); return; }
    int modern = memmem(body.p, body.n, "\"io.modelcontextprotocol/", 25) != NULL;
    const char *kind = modern ? "\"resultType\":\"complete\"," : "";
    int n = sprintf(out, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":{%s", (int)id_len, id.p, kind);
#define IS(name) (method.n == sizeof name - 1 && !memcmp(method.p, name, method.n))
    if (IS("tools/call")) {
        struct text said = string_after(body, "\"text\":\"");
        n += sprintf(out + n, "\"content\":[{\"type\":\"text\",\"text\":\"");
        memcpy(out + n, said.p ? said.p : "", said.n);
        n += (int)said.n;
        n += sprintf(out + n, "\"}],\"isError\":false}}");
    } else if (IS("tools/list")) {
        n += sprintf(out + n, "%s\"tools\":[{\"name\":\"echo\",\"description\":\"Says it again.\",\"inputSchema\":{\"type\":"
                     "\"object\",\"properties\":{\"text\":{\"type\":\"string\"}},\"required\":[\"text\"]},\"annotations\":"
                     "{\"readOnlyHint\":true}}]}}", modern ? "\"ttlMs\":3600000,\"cacheScope\":\"private\"," : "");
    } else if (IS("server/discover")) {
        n += sprintf(out + n, "\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"tools\":{}},\"ttlMs\":3600000,"
                     "\"cacheScope\":\"private\",\"serverInfo\":{\"name\":\"bench\",\"version\":\"1\"}}}");
    } else if (IS("initialize")) {
        struct text version = string_after(body, "\"protocolVersion\":\"");
        n += sprintf(out + n, "\"protocolVersion\":\"%.*s\",\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":"
                     "\"bench\",\"version\":\"1\"}}}", (int)version.n, version.p ? version.p : "");
    } else {
        n = sprintf(out, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"error\":{\"code\":-32601,\"message\":\"no such method\"}}",
                    (int)id_len, id.p);
    }
    answer(c, "200 OK", out, (size_t)n);
}

/* Takes whole requests off the buffer; 0 when the connection is to be closed. */
static int take(struct conn *c)
{
    for (;;) {
        char *end = memmem(c->in, c->n, "\r\n\r\n", 4);
        if (!end) return c->n < ROOM;
        size_t head = (size_t)(end + 4 - c->in), length = 0;
        int allowed = !prefix;
        for (char *line = c->in; line < end; line = (char *)memmem(line, (size_t)(end + 2 - line), "\r\n", 2) + 2) {
            if (!strncasecmp(line, "content-length:", 15)) length = strtoul(line + 15, NULL, 10);
            else if (prefix && !strncasecmp(line, "authorization: bearer ", 22))
                allowed = !strncmp(line + 22, prefix, strlen(prefix));
        }
        if (head + length > ROOM) return 0;
        if (c->n < head + length) return 1;
        if (!allowed) answer(c, "401 Unauthorized", "{}", 2);
        else if (memcmp(c->in, "POST ", 5)) answer(c, "405 Method Not Allowed", "{}", 2);
        else reply(c, (struct text){c->in + head, length});
        memmove(c->in, c->in + head + length, c->n -= head + length);
    }
}

int main(int argc, char **argv)
{
    int port = 0, one = 1;
    for (int o; (o = getopt(argc, argv, "p:A:")) != -1;) {
        if (o == 'p') port = atoi(optarg);
        else if (o == 'A') prefix = optarg;
        else return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), ep = epoll_create1(0);
    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(door, (struct sockaddr *)&at, sizeof at) || listen(door, 1024)) { perror("upstream"); return 1; }
    struct epoll_event ev = {.events = EPOLLIN}, got[256];
    epoll_ctl(ep, EPOLL_CTL_ADD, door, &ev);
    for (;;) {
        int k = epoll_wait(ep, got, 256, -1);
        for (int i = 0; i < k; i++) {
            struct conn *c = got[i].data.ptr;
            if (!c) {
                int fd = accept4(door, NULL, NULL, SOCK_NONBLOCK);
                if (fd < 0) continue;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                c = malloc(sizeof *c);
                c->fd = fd;
                c->n = 0;
                struct epoll_event mine = {.events = EPOLLIN, .data.ptr = c};
                epoll_ctl(ep, EPOLL_CTL_ADD, fd, &mine);
                continue;
            }
            ssize_t n = recv(c->fd, c->in + c->n, ROOM - c->n, 0);
            if (n > 0) c->n += (size_t)n;
            if (n == 0 || (n < 0 && errno != EAGAIN) || !take(c)) { close(c->fd); free(c); }
        }
    }
}
