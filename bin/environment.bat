@echo off
rem Called by the launchers: finds the Python of the virtual environment for the feature named in %1; where something is missing in
rem it, bootstrap.py installs it. Leaves TRANSCENDENCE_PYTHON, to be started with -I. The environment is .venv in the checkout, or
rem the folder that TRANSCENDENCE_VENV names. All output goes to stderr: the engine's stdout belongs to UCI.

rem What was meant for the Python of whoever started us.
for %%V in (PYTHONHOME PYTHONPATH PYTHONSTARTUP PYTHONUSERBASE PYTHONEXECUTABLE PYTHONPLATLIBDIR PYTHONCASEOK PYTHONINSPECT) do set "%%V="
for %%V in (PYTHONOPTIMIZE PYTHONWARNINGS PYTHONBREAKPOINT __PYVENV_LAUNCHER__) do set "%%V="

for %%D in ("%~dp0..") do set "ROOT=%%~fD"
set "VENV=%ROOT%\.venv"
if defined TRANSCENDENCE_VENV for %%D in ("%TRANSCENDENCE_VENV%") do set "VENV=%%~fD"
if "%VENV:~-1%"=="\" set "VENV=%VENV:~0,-1%"
set "TRANSCENDENCE_PYTHON=%VENV%\Scripts\python.exe"

rem Ready, without starting a process, if the last start saw this checkout with this pyproject.toml: cmd cannot compare dates.
set "SEEN_FILE=%VENV%\seen-%~1"
for %%F in ("%ROOT%\pyproject.toml") do set "TRANSCENDENCE_STATE=%%~fF %%~zF %%~tF"
set "SEEN="
if exist "%SEEN_FILE%" set /p SEEN=<"%SEEN_FILE%"
rem An environment whose base Python is gone is made again.
set "CONFIG=%VENV%\pyvenv.cfg"
if exist "%CONFIG%" for /f "usebackq tokens=1,* delims== " %%A in ("%CONFIG%") do if "%%A"=="home" if not exist "%%B\python.exe" set "SEEN="
if exist "%TRANSCENDENCE_PYTHON%" if "%SEEN%"=="TRANSCENDENCE_STATE=%TRANSCENDENCE_STATE%" exit /b 0

rem The Python that installs; where there is none, the environment's own may still be able to.
set "MODERN=sys; sys.exit(sys.version_info < (3, 11))"
set BASE=py -3
%BASE% -I -c "import ensurepip, venv, %MODERN%" 1>nul 2>nul
if %ERRORLEVEL%==0 goto install
set BASE=python
%BASE% -I -c "import ensurepip, venv, %MODERN%" 1>nul 2>nul
if %ERRORLEVEL%==0 goto install
set BASE="%TRANSCENDENCE_PYTHON%"
%BASE% -I -c "import %MODERN%" 1>nul 2>nul
if %ERRORLEVEL%==0 goto install
echo transcendence: expected Python 3.11 or newer, found none. Install it from python.org and try again. 1>&2
exit /b 1

:install
%BASE% -I "%ROOT%\bin\bootstrap.py" %~1 --venv "%VENV%" <nul 1>&2
rem 10: an earlier installation has to do, and the next start tries again
if %ERRORLEVEL%==10 exit /b 0
if not %ERRORLEVEL%==0 exit /b 1
rem Unlike echo, set may print any path.
set TRANSCENDENCE_STATE>"%SEEN_FILE%"
exit /b 0
