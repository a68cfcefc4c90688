/* Forks once for each of its generations, each in a session of its own, and every second one deaf to SIGTERM. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
  int generations = argc > 1 ? atoi(argv[1]) : 3;
  for (int n = 0; n < generations; n++) {
    if (fork() != 0) break;
    setsid();
    if (n % 2 == 0) signal(SIGTERM, SIG_IGN);
  }
  for (;;) pause();
}
