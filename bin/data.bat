@echo off
setlocal
rem Games in, token store out; also inspect, merge, filter and sample. --help tells more.
call "%~dp0environment.bat" data
if errorlevel 1 exit /b 1
"%TRANSCENDENCE_PYTHON%" -I -m training.data %*
