// reaper COMMAND [ARGUMENT...]: runs the command and takes over processes it leaves behind, so that a killed
// server vanishes at once. A zombie keeps its process id, and PostgreSQL then believes that the server that
// postmaster.pid names still runs; process 1 of many containers reaps late or never.
// Ends with the command's exit code, or 128 + signal.

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <initializer_list>

namespace {

pid_t child = -1;

void Forward(int signal) {
  if (child > 0) kill(child, signal);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: reaper COMMAND [ARGUMENT...]\n");
    return 2;
  }
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) fprintf(stderr, "reaper: prctl: %s\n", strerror(errno));
  child = fork();
  if (child < 0) {
    fprintf(stderr, "reaper: fork: %s\n", strerror(errno));
    return 125;
  }
  if (child == 0) {
    execvp(argv[1], argv + 1);
    fprintf(stderr, "reaper: %s: %s\n", argv[1], strerror(errno));
    _exit(127);
  }
  // Without SA_RESTART: waitpid returns EINTR and is called again.
  struct sigaction action = {};
  action.sa_handler = Forward;
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) sigaction(signal, &action, nullptr);
  for (;;) {
    int status = 0;
    const pid_t pid = waitpid(-1, &status, 0);
    if (pid < 0 && errno == EINTR) continue;
    if (pid < 0) return 125;
    if (pid == child) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
}
